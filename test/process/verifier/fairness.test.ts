/** A flood of forged tokens, and good ones in the midst of it. Counted, not timed. */
import { describe, expect, test } from "vitest";
import { hybrid } from "../../support/verifier/hybrid.ts";
import { ecKey, mint, now } from "../../support/verifier/tokens.ts";
import { type ApiServer, acceptedStatus, type Review, until, type Verifier } from "../../support/verifier/verifier.ts";

const maxReviews = 4;
const maxWaiting = 4 * maxReviews;
const floodSize = 200;
const reviewing = { mode: "tokenreview", maxReviews };
/** Keys of the issuer and of a forger. Their signatures cost a fraction of RSA's. */
const [goodKey, strangeKey] = [ecKey(), ecKey()];

/** Holds all reviews until `finish`, which answers them one after the other: forged tokens are refused. */
function holdReviews(api: ApiServer, forged: ReadonlySet<string>) {
  const held: { readonly review: Review; readonly answer: () => void }[] = [];
  const order: string[] = [];
  api.review = (review, response) => {
    order.push(forged.has(review.token) ? "forged" : "good");
    const status = forged.has(review.token) ? { authenticated: false } : acceptedStatus(review);
    held.push({ review, answer: () => response.end(JSON.stringify({ kind: "TokenReview", status })) });
    return undefined;
  };
  const finish = async (isOver: () => boolean) => {
    while (!isOver()) {
      await until(() => held.length > 0 || isOver(), "a review is under way");
      held.shift()?.answer();
    }
  };
  return { held, order, finish };
}

/** Asks about all tokens at the same time; `statuses` fills as answers come. */
function askAll(one: Verifier, tokens: readonly string[]) {
  const statuses: number[] = [];
  const done = Promise.all(tokens.map(async (token) => void statuses.push((await one.ask(token)).status)));
  return { statuses, done };
}

const count = (values: readonly unknown[], wanted: unknown) => values.filter((value) => value === wanted).length;
const goodTokens = (number: number) => Array.from({ length: number }, (_, at) => mint({ jti: `good-${at}` }, goodKey));
/** As a forger makes them who has seen a token: everything is right but the signature and perhaps the key id. */
const forgedTokens = (kid: string) =>
  Array.from({ length: floodSize }, (_, at) => mint({ jti: `forged-${at}`, iat: now - 5 }, strangeKey, { kid }));

describe("tokenreview where the keys cannot be known", () => {
  test("tokens that were good lately are reviewed before a flood of forged ones, and none of them is refused", async () => {
    const { api, one } = await hybrid(reviewing, []);
    const good = goodTokens(maxWaiting);
    for (const token of good) expect((await one.ask(token)).status).toBe(200);
    one.clock?.advance(10_000);

    const forged = forgedTokens(goodKey.kid);
    const { held, order, finish } = holdReviews(api, new Set(forged));
    const flood = askAll(one, forged);
    await until(
      () => flood.statuses.length === floodSize - maxReviews - maxWaiting,
      "the queue is full of forged ones",
    );
    expect(held).toHaveLength(maxReviews);
    const mine = askAll(one, good);
    await until(() => flood.statuses.length === floodSize - maxReviews, "the good ones took their places");
    await finish(() => mine.statuses.length === good.length && flood.statuses.length === floodSize);
    await Promise.all([flood.done, mine.done]);
    expect(mine.statuses).toEqual(good.map(() => 200));
    expect(order).toEqual([...Array(maxReviews).fill("forged"), ...good.map(() => "good")]);
  });

  test("a token that a review has refused since is no good one", async () => {
    const { api, one } = await hybrid(reviewing, []);
    const [gone = ""] = goodTokens(1);
    expect((await one.ask(gone)).status).toBe(200);
    one.clock?.advance(10_000);
    api.review = () => ({ authenticated: false });
    expect((await one.ask(gone)).status).toBe(401);
    one.clock?.advance(10_000);
    const forged = forgedTokens(goodKey.kid);
    const { finish } = holdReviews(api, new Set([...forged, gone]));
    const flood = askAll(one, forged);
    await until(() => flood.statuses.length === floodSize - maxReviews - maxWaiting, "the queue is full");
    expect((await one.ask(gone)).status).toBe(503);
    await finish(() => flood.statuses.length === floodSize);
    await flood.done;
  });
});

describe("tokenreview where the API server publishes its keys", () => {
  const loaded = async (one: Verifier) =>
    until(() => one.lines.some(({ msg }) => msg === "forged tokens are refused without a review"), "keys are loaded");

  test("forged tokens of a published key are refused without a review", async () => {
    const { api, one } = await hybrid(reviewing, [goodKey]);
    await loaded(one);
    const flood = askAll(one, forgedTokens(goodKey.kid));
    await flood.done;
    expect(count(flood.statuses, 401)).toBe(floodSize);
    expect(api.reviews).toEqual([]);
    expect((await one.ask(mint({}, goodKey))).status).toBe(200);
  });

  test("forged tokens of a key that is not published never wait: new good ones have the queue, and half of the places", async () => {
    const { api, one } = await hybrid(reviewing, [goodKey]);
    await loaded(one);
    const forged = forgedTokens("made-up");
    const { held, finish } = holdReviews(api, new Set(forged));
    const flood = askAll(one, forged);
    await until(() => flood.statuses.length === floodSize - maxReviews / 2, "all but a few are refused");
    expect(held).toHaveLength(maxReviews / 2);
    const good = goodTokens(maxReviews / 2 + maxWaiting);
    const mine = askAll(one, good);
    await until(() => held.length === maxReviews, "good ones are reviewed at once");
    await finish(() => mine.statuses.length === good.length && flood.statuses.length === floodSize);
    await Promise.all([flood.done, mine.done]);
    expect(count(flood.statuses, 503)).toBe(floodSize - maxReviews / 2);
    expect(mine.statuses).toEqual(good.map(() => 200));
  });

  test("a token of a key that its signer does not publish is reviewed", async () => {
    const { api, one } = await hybrid(reviewing, [goodKey]);
    await loaded(one);
    expect((await one.ask(mint({}, strangeKey))).status).toBe(200);
    expect(api.reviews).toHaveLength(1);
  });
});

test("hybrid reviews tokens that were good lately before new ones", async () => {
  const { api, one } = await hybrid({ maxReviews }, [goodKey]);
  const good = goodTokens(maxWaiting);
  for (const token of good) expect((await one.ask(token)).status).toBe(200);
  one.clock?.advance(10_000);
  // Signed by the issuer, and revoked since.
  const revoked = Array.from({ length: floodSize }, (_, at) => mint({ jti: `revoked-${at}` }, goodKey));
  const { finish } = holdReviews(api, new Set(revoked));
  const flood = askAll(one, revoked);
  await until(() => flood.statuses.length === floodSize - maxReviews - maxWaiting, "the queue is full of revoked ones");
  const mine = askAll(one, good);
  await finish(() => mine.statuses.length === good.length && flood.statuses.length === floodSize);
  await Promise.all([flood.done, mine.done]);
  expect(mine.statuses).toEqual(good.map(() => 200));
});
