import { describe, expect, test } from "vitest";
import { type ReviewPriority, ReviewQueue } from "../../../../verifier/review/queue.ts";
import { reviewedUser } from "../../../../verifier/review/reviewedUser.ts";
import { splitUsername } from "../../../../verifier/token/identity.ts";
import { uids } from "../../../support/verifier/tokens.ts";

const username = "system:serviceaccount:team-a:web";
const user = { username, uid: uids.account };
const review = (status: unknown) => ({ kind: "TokenReview", status });
const good = { authenticated: true, audiences: ["a"], user };

describe("a review's status", () => {
  test("contains the user, the requested audiences, and the objects that the token is bound to", () => {
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

describe("the queue of reviews", () => {
  /** Work that the test ends, and the order in which it began. */
  function queue(limit: number, maxWaiting: number) {
    const reviews = new ReviewQueue(limit, maxWaiting);
    const begun: string[] = [];
    const ends: (() => void)[] = [];
    const add = (name: string, priority: ReviewPriority = "unknown") =>
      reviews.run(priority, async () => {
        begun.push(name);
        await new Promise<void>((resolve) => ends.push(resolve));
        return name;
      });
    const endOne = async () => {
      ends.shift()?.();
      await new Promise(setImmediate);
    };
    return { reviews, begun, add, endOne };
  }

  test("limits running and waiting reviews, keeps their order, and refuses further ones", async () => {
    const { reviews, begun, add, endOne } = queue(2, 2);
    const running = ["1", "2", "3", "4"].map((name) => add(name));
    await expect(add("5")).rejects.toMatchObject({ reason: "busy" });
    expect([reviews.running, reviews.waiting, begun]).toEqual([2, 2, ["1", "2"]]);
    await endOne();
    expect(begun).toEqual(["1", "2", "3"]);
    for (let more = 0; more < 3; more++) await endOne();
    await Promise.all(running);
    expect([reviews.running, reviews.waiting]).toEqual([0, 0]);
  });
  test("runs the highest priority first, and equal priorities in order of arrival", async () => {
    const { begun, add, endOne } = queue(1, 10);
    const running = [
      add("first"),
      add("unknown-1"),
      add("signed-1", "signed"),
      add("accepted-1", "accepted"),
      add("signed-2", "signed"),
      add("accepted-2", "accepted"),
    ];
    for (let more = 0; more < running.length; more++) await endOne();
    await Promise.all(running);
    expect(begun).toEqual(["first", "accepted-1", "accepted-2", "signed-1", "signed-2", "unknown-1"]);
  });
  test("when full, refuses the newest of the lowest priority in favor of a higher one", async () => {
    const { add, endOne, begun } = queue(1, 3);
    const running = [add("first")];
    const [signed, early, late] = [add("signed", "signed"), add("early"), add("late")];
    const accepted = add("accepted", "accepted");
    await expect(late).rejects.toMatchObject({ reason: "busy" });
    await expect(add("another")).rejects.toMatchObject({ reason: "busy" });
    const second = add("accepted-2", "accepted");
    await expect(early).rejects.toMatchObject({ reason: "busy" });
    for (let more = 0; more < 4; more++) await endOne();
    await Promise.all([...running, signed, accepted, second]);
    expect(begun).toEqual(["first", "accepted", "accepted-2", "signed"]);
  });
  test("lets no unlikely token wait, and gives them half of the concurrent reviews", async () => {
    const { reviews, add, endOne } = queue(4, 4);
    const unlikely = [add("a", "unlikely"), add("b", "unlikely")];
    await expect(add("c", "unlikely")).rejects.toMatchObject({ reason: "busy" });
    const others = [add("d"), add("e")];
    await endOne();
    await expect(unlikely[0]).resolves.toBe("a");
    const again = add("f", "unlikely");
    expect([reviews.running, reviews.waiting]).toEqual([4, 0]);
    for (let more = 0; more < 4; more++) await endOne();
    await Promise.all([...unlikely, ...others, again]);
    expect(reviews.running).toBe(0);
  });
  test("a failed review also starts the next one", async () => {
    const reviews = new ReviewQueue(1, 1);
    const failing = reviews.run("unknown", () => Promise.reject(new Error("no")));
    const next = reviews.run("unknown", async () => "next");
    await expect(failing).rejects.toThrow("no");
    expect(await next).toBe("next");
    expect(reviews.running).toBe(0);
  });
});
