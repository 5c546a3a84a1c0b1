import { describe, expect, test } from "vitest";
import { reviewedUser } from "../../../verifier/review/reviewedUser.ts";
import { Semaphore } from "../../../verifier/review/semaphore.ts";
import { splitUsername } from "../../../verifier/token/identity.ts";
import { uids } from "./tokens.ts";

const username = "system:serviceaccount:team-a:web";
const user = { username, uid: uids.account };
const review = (status: unknown) => ({ kind: "TokenReview", status });
const good = { authenticated: true, audiences: ["a"], user };

describe("a review's status", () => {
  test("names the user, the audiences asked for, and what the token is bound to", () => {
    const extra = {
      "authentication.kubernetes.io/pod-name": ["web-0"],
      "authentication.kubernetes.io/pod-uid": [uids.pod],
      "authentication.kubernetes.io/node-name": ["node-1"],
      "authentication.kubernetes.io/node-uid": [uids.node],
      "authentication.kubernetes.io/credential-id": ["JTI=abc"],
    };
    const status = { ...good, audiences: ["b", "x"], user: { ...user, extra } };
    expect(reviewedUser(review(status), ["a", "b"])).toEqual({
      username,
      namespace: "team-a",
      name: "web",
      uid: uids.account,
      audiences: ["b"],
      podName: "web-0",
      podUid: uids.pod,
      nodeName: "node-1",
      nodeUid: uids.node,
      tokenId: "abc",
    });
  });
  test.each([
    ["not authenticated", { ...good, authenticated: false }],
    ["authenticated in words alone", { ...good, authenticated: "true" }],
    ["nothing said", {}],
    ["no audiences", { ...good, audiences: undefined }],
    ["other audiences", { ...good, audiences: ["b"] }],
    ["audiences as text", { ...good, audiences: "a" }],
  ])("%s is no yes", (_, status) => {
    expect(reviewedUser(review(status), ["a"])).toBeUndefined();
  });
  test.each(["alice", "system:node:a", "system:serviceaccount:a", "system:serviceaccount:a:b:c", "", undefined])(
    "the user %j is no ServiceAccount",
    (name) => {
      const status = { ...good, user: { ...user, username: name } };
      expect(() => reviewedUser(review(status), ["a"])).toThrow(
        expect.objectContaining({ reason: "not_a_service_account" }),
      );
    },
  );
  test.each([
    ["no UID", { ...user, uid: undefined }],
    ["a UID with a line break", { ...user, uid: "a\nb" }],
    ["a pod with a line break", { ...user, extra: { "authentication.kubernetes.io/pod-name": ["a\nb"] } }],
  ])("%s is refused", (_, status) => {
    expect(() => reviewedUser(review({ ...good, user: status }), ["a"])).toThrow(
      expect.objectContaining({ reason: "malformed_claim" }),
    );
  });
  test.each([{}, { kind: "Status", status: good }, review(null), review("x"), []])("%j is no review", (answer) => {
    expect(() => reviewedUser(answer, ["a"])).toThrow(expect.objectContaining({ code: "REVIEW_MALFORMED" }));
  });
});

test.each([
  ["system:serviceaccount:ns:name", { namespace: "ns", name: "name" }],
  ["system:serviceaccount:ns:na.me", { namespace: "ns", name: "na.me" }],
  ["system:serviceaccount:n.s:name", undefined],
  ["system:serviceaccount:-ns:name", undefined],
  [`system:serviceaccount:${"n".repeat(64)}:name`, undefined],
  [`system:serviceaccount:ns:${"n".repeat(254)}`, undefined],
  ["System:serviceaccount:ns:name", undefined],
  ["system:serviceaccount:ns:name\n", undefined],
  ["system:serviceaccount::name", undefined],
])("%j is split as the API server does", (username, expected) => {
  expect(splitUsername(username)).toEqual(expected);
});

describe("the limit on work in flight", () => {
  test("lets so many run and so many wait, in their order, and refuses the rest", async () => {
    const semaphore = new Semaphore(2, 2);
    const ends: (() => void)[] = [];
    const begun: number[] = [];
    const work = (id: number) =>
      semaphore.run(async () => {
        begun.push(id);
        await new Promise<void>((resolve) => ends.push(resolve));
      });
    const running = [1, 2, 3, 4].map(work);
    await expect(work(5)).rejects.toMatchObject({ reason: "busy" });
    expect([semaphore.running, semaphore.waiting, begun]).toEqual([2, 2, [1, 2]]);
    ends.shift()?.();
    await running[0];
    await new Promise(setImmediate);
    expect(begun).toEqual([1, 2, 3]);
    for (let more = 0; more < 3; more++) {
      ends.shift()?.();
      await new Promise(setImmediate);
    }
    await Promise.all(running);
    expect([semaphore.running, semaphore.waiting]).toEqual([0, 0]);
  });
  test("a failure gives its place on as well", async () => {
    const semaphore = new Semaphore(1, 1);
    const failing = semaphore.run(() => Promise.reject(new Error("no")));
    const next = semaphore.run(async () => "next");
    await expect(failing).rejects.toThrow("no");
    expect(await next).toBe("next");
    expect(semaphore.running).toBe(0);
  });
});
