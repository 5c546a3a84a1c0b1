import { execSync } from "node:child_process";
import { startSandbox } from "./sandbox/index.ts";
import { Plugin, startEngine, secretOf, revealed } from "./test/unit/provider/plugin.ts";
import { adminClient, bindingPath } from "./test/cluster/providerFixture.ts";
import { readFileSync } from "node:fs";
const sandbox = await startSandbox({ ephemeral: true, name: "sc-happy" });
const admin = await adminClient(sandbox);
await using engine = await startEngine();
await using plugin = await Plugin.start(engine);
const type = "k8sauth:index:SignedCertificate";
try {
for (const [n, alg] of [["gw-rsa","rsa:2048"],["gw-ec","ec -pkeyopt ec_paramgen_curve:P-256"],["gw-ed","ed25519"]] as const) {
  const csr = execSync(`openssl req -new -newkey ${alg} -nodes -keyout /tmp/sc_k.pem -subj /O=example/CN=${n}`, {encoding:"utf8",stdio:["pipe","pipe","ignore"]});
  const key = readFileSync("/tmp/sc_k.pem","utf8");
  await admin.create(bindingPath(), {apiVersion:"rbac.authorization.k8s.io/v1",kind:"ClusterRoleBinding",metadata:{name:n},roleRef:{apiGroup:"rbac.authorization.k8s.io",kind:"ClusterRole",name:"system:auth-delegator"},subjects:[{kind:"User",apiGroup:"rbac.authorization.k8s.io",name:n}]});
  const inputs = { kubeconfig: secretOf(sandbox.kubeconfig), host: sandbox.server, caPem: sandbox.caPem, csrPem: csr, privateKeyPem: secretOf(key), expirationSeconds: 600 };
  const checked = await plugin.check(type, inputs);
  console.log(checked.failures);
  for (let i=0;i<2;i++){
  const t = performance.now();
  const made = await plugin.create(type, checked.inputs);
  console.log(n, (performance.now()-t).toFixed(0)+" ms");
  if(i==0) console.log(revealed(made.outputs), made.id);
  const t2 = performance.now();
  const d = await plugin.diff(type, made.id, made.outputs, checked.inputs, checked.inputs);
  console.log(d, (performance.now()-t2).toFixed(0));
  const r = await plugin.read(type, made.id, made.outputs, checked.inputs); console.log(r.id===made.id);
  const t3 = performance.now();
  await plugin.delete(type, made.id, made.outputs); console.log("delete",(performance.now()-t3).toFixed(0));
  }
  console.log((await admin.get<{items:[]}>("/apis/certificates.k8s.io/v1/certificatesigningrequests")).items.length);
}
} catch(e) { console.log(e) }
console.log(engine.lines, plugin.output);
await sandbox.stop(); admin.close(); engine.stop();
