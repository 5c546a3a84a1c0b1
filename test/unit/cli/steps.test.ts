import { describe, expect, test } from "vitest";
import { duration, Steps } from "../../../cli/steps.ts";

/** Output of two steps, the second of which fails after a minute. */
async function show(tty: boolean) {
  const written = { out: "", err: "" };
  const keep = (where: "out" | "err") => (text: string) => {
    written[where] += text;
  };
  const io = { out: keep("out"), err: keep("err"), tty, env: {}, signal: new AbortController().signal };
  let clock = 0;
  const steps = new Steps(io, 2, () => clock);
  const after = <T>(ms: number, result: T) => {
    clock += ms;
    return Promise.resolve(result);
  };
  await steps.run(
    "Cluster",
    () => after(400, "v1.36.3"),
    (version) => `Kubernetes ${version}`,
  );
  const failing = steps.run(
    "Stack",
    () => after(61_000, "").then(() => Promise.reject(new Error("no"))),
    () => "",
  );
  await expect(failing).rejects.toThrow("no");
  return written;
}

describe("the steps of a command", () => {
  test("have a line each with their time, also one that failed", async () => {
    expect(await show(false)).toEqual({
      out: "1/2  Cluster       0.4 s  Kubernetes v1.36.3\n2/2  Stack     1 min 1 s  failed\n",
      err: "",
    });
  });

  test("are named on a terminal while they run, in a line that is cleared", async () => {
    expect((await show(true)).err).toBe("1/2  Cluster …\r\u001b[K2/2  Stack …\r\u001b[K");
  });
});

test("a step that Ctrl-C ended was cancelled, and knows its number", async () => {
  const controller = new AbortController();
  let out = "";
  const io = {
    out: (text: string) => {
      out += text;
    },
    err: () => {},
    tty: false,
    env: {},
    signal: controller.signal,
  };
  const work = async (number: string) => {
    controller.abort(new Error("Interrupted."));
    throw new Error(number);
  };
  await expect(new Steps(io, 2, () => 0).run("Cluster", work, () => "")).rejects.toThrow("1/2");
  expect(out).toBe("1/2  Cluster       0.0 s  cancelled\n");
});

test.each([
  [0, "0.0 s"],
  [59_900, "59.9 s"],
  [60_000, "1 min 0 s"],
  [754_000, "12 min 34 s"],
])("%d ms are %j", (ms, text) => {
  expect(duration(ms)).toBe(text);
});
