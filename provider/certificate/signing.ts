import { setTimeout as sleep } from "node:timers/promises";
import { KubeClient } from "../../kubernetes/client.ts";
import { isKubeError, type KubeError } from "../../kubernetes/errors.ts";
import { isProviderError } from "../protocol/errors.ts";
import type { Context } from "../protocol/resource.ts";
import { describeUser } from "./csr.ts";
import * as errors from "./signingErrors.ts";
import {
  approved,
  type CertificateSpec,
  type Collected,
  collectedFrom,
  condition,
  differences,
  type Requester,
  type SigningObject,
  signingBody,
  signingName,
  signingPath,
} from "./signingObject.ts";

/** How a CertificateSigningRequest is approved and awaited. */
export interface SigningOptions {
  readonly requester: Requester;
  /** Version of the API server; "" if it is unknown. */
  readonly version: string;
  readonly approval: "auto" | "external";
  readonly limitMs: number;
  /** Whether a certificate of an earlier run is not due for renewal yet. */
  readonly isFresh: (collected: Collected) => Promise<boolean>;
}

/** Maximum number of posts of a request that something else keeps deleting. */
const maxPosts = 3;

/** The lifecycle of one CertificateSigningRequest: it is posted, compared, approved, awaited, and deleted. */
export class Signing {
  readonly name: string;
  readonly #client: KubeClient;
  readonly #wanted: CertificateSpec;
  readonly #options: SigningOptions;
  readonly #context: Context;
  readonly #started = performance.now();
  /** Whether an earlier run posted the request. */
  resumed = false;
  /** UID of our object. An object with the same name and another UID is not ours. */
  #uid: string | undefined;
  #announced = false;
  #reportedAt = 0;

  constructor(client: KubeClient, wanted: CertificateSpec, options: SigningOptions, context: Context) {
    this.#client = client;
    this.#wanted = wanted;
    this.#options = options;
    this.#context = context;
    this.name = signingName(wanted, options.requester);
  }

  /**
   * Posts the request, or resumes the one of an earlier run, and waits for its certificate.
   *
   * @throws ProviderError CERTIFICATE_NAME_TAKEN, CERTIFICATE_REQUEST_OTHER, CERTIFICATE_REQUEST_GONE, CERTIFICATE_MAY_NOT_APPROVE,
   *   CERTIFICATE_APPROVAL_CONFLICT, CERTIFICATE_NOT_APPROVED, CERTIFICATE_DENIED, CERTIFICATE_FAILED, CERTIFICATE_NOT_ISSUED,
   *   CANCELLED; KubeError
   */
  async collect(): Promise<Collected> {
    let replaced = false;
    for (let round = 1; round <= maxPosts; round++) {
      this.#uid = undefined;
      const { copy, now, found, isOwnPost } = await this.#post();
      this.#requireOurs(copy, found);
      this.#uid = copy.metadata?.uid;
      if (found && !replaced && (await this.#isUnusable(copy, now))) {
        this.#context.log.debug(`${this.name} of an earlier run is no longer usable: it is created again.`);
        await this.remove();
        replaced = true;
        round--;
        continue;
      }
      this.resumed = found && !isOwnPost;
      if (this.resumed)
        this.#context.log.info(`The CertificateSigningRequest ${this.name} of an earlier run is resumed.`);
      const collected = await this.#await(copy, now);
      if (collected !== undefined) return collected;
      this.#context.log.warn(`The CertificateSigningRequest ${this.name} was deleted before it had a certificate.`);
    }
    throw errors.gone(this.name, maxPosts);
  }

  /** Deletes the request, if it is still ours. */
  async remove(client: KubeClient = this.#client, timeoutMs = 5_000): Promise<void> {
    if (this.#uid === undefined) return;
    try {
      // With the UID as a precondition, a retry is safe.
      const options = { uid: this.#uid, ignoreNotFound: true, safe: true, timeoutMs };
      await client.delete(signingPath(this.name), options);
    } catch (error) {
      // Another object has the name now.
      if (!isKubeError(error, "KUBE_CONFLICT")) throw error;
    }
    this.#uid = undefined;
  }

  /** Deletes the request after success. A failure is only a warning, so that the certificate is not lost. */
  async cleanUp(): Promise<void> {
    // Without the engine the result is not recorded, so the next run reads the certificate from the request.
    if (this.#context.engineGone()) return;
    await this.#removeEvenIfCancelled().catch((error: Error) => {
      this.#context.log.warn(
        `The CertificateSigningRequest ${this.name} could not be deleted; Kubernetes deletes it an hour after its approval. ${error.message}`,
      );
    });
  }

  /**
   * Deletes the request after a failure. It stays in three cases: if it waits for external approval, so that the next run resumes it; if it was
   * denied, so that users can read the reason; and if the engine is gone.
   */
  async abandon(error: unknown): Promise<void> {
    const waits = this.#options.approval === "external" && !isProviderError(error, ...errors.afterApproval);
    if (waits || isProviderError(error, "CERTIFICATE_DENIED") || this.#uid === undefined) return;
    if (this.#context.engineGone()) return;
    try {
      await this.#removeEvenIfCancelled();
      if (this.#options.approval === "external") {
        this.#context.log.warn(
          `The approved CertificateSigningRequest ${this.name} was deleted. The next up creates it again with the same name, and it needs a new approval.`,
        );
      }
    } catch (reason) {
      this.#context.log.warn(
        `The CertificateSigningRequest ${this.name} could not be deleted: the next run resumes it. ${(reason as Error).message}`,
      );
    }
  }

  /** Deletes the request, even after a cancellation: then with a client that the context's signal does not cancel. */
  async #removeEvenIfCancelled(): Promise<void> {
    if (!this.#context.signal.aborted) return this.remove();
    using client = new KubeClient(this.#client.connection);
    await this.remove(client, 1_000);
  }

  /** Posts the request. Its name comes from its content, so a POST whose answer was lost can be repeated. */
  async #post(): Promise<{ copy: SigningObject; now: Date; found: boolean; isOwnPost: boolean }> {
    const body = signingBody(this.#wanted, { name: this.name });
    let lost = false;
    for (let pauseMs = 50; ; pauseMs *= 2) {
      try {
        const { body: copy, date } = await this.#client.exchange<SigningObject>("POST", signingPath(), { body });
        return { copy, now: date ?? this.#now(), found: false, isOwnPost: true };
      } catch (error) {
        if (isKubeError(error, "KUBE_ALREADY_EXISTS")) {
          const there = await this.#find();
          if (there !== undefined) return { ...there, found: true, isOwnPost: lost };
        } else if (errors.isTransient(error)) {
          lost = true;
        } else throw error;
        if (this.#leftMs() <= 0) throw error;
        await this.#pause(pauseMs);
      }
    }
  }

  async #find(): Promise<{ copy: SigningObject; now: Date } | undefined> {
    try {
      const { body, date } = await this.#client.exchange<SigningObject>("GET", signingPath(this.name), {
        timeoutMs: this.#requestMs(),
      });
      return { copy: body, now: date ?? this.#now() };
    } catch (error) {
      if (isKubeError(error, "KUBE_NOT_FOUND")) return undefined;
      throw error;
    }
  }

  #requireOurs(copy: SigningObject, found: boolean): void {
    if (this.#uid !== undefined && copy.metadata?.uid !== this.#uid) {
      throw errors.changedByOthers(this.name, [`its UID is ${copy.metadata?.uid}, and was ${this.#uid}`]);
    }
    const { requester, version } = this.#options;
    const wrong = differences(copy, this.#wanted, requester, version);
    if (wrong.length === 0) return;
    // The object is the answer to our POST, so it may be deleted.
    if (!found) this.#uid ??= copy.metadata?.uid;
    throw found ? errors.nameTaken(this.name, wrong) : errors.changedByOthers(this.name, wrong);
  }

  /** Whether a request of an earlier run failed, or its certificate is due for renewal. */
  async #isUnusable(copy: SigningObject, now: Date): Promise<boolean> {
    if (condition(copy, "Denied")) return false;
    if (condition(copy, "Failed")) return true;
    const collected = collectedFrom(copy, now);
    return collected !== undefined && !(await this.#options.isFresh(collected));
  }

  /** Waits for the certificate. Undefined if the request was deleted. */
  async #await(first: SigningObject, at: Date): Promise<Collected | undefined> {
    let state: { copy: SigningObject; now: Date } = { copy: first, now: at };
    let lastError: KubeError | undefined;
    const external = this.#options.approval === "external";
    for (let pauseMs = 5; ; pauseMs = Math.min(pauseMs * 1.6, 1_000)) {
      const { copy, now } = state;
      const collected = this.#outcome(copy, now);
      if (collected !== undefined) return collected;
      if (!external && !condition(copy, "Approved")) {
        const answer = await this.#approve(copy);
        if (answer === undefined) return undefined;
        state = { copy: answer, now };
        continue;
      }
      if (external) this.#announce(copy);
      if (this.#leftMs() <= 0)
        throw lastError ?? errors.timedOut(this.name, copy, this.#wanted.signerName, this.#options);
      this.#report(copy);
      await this.#pause(pauseMs);
      try {
        const found = await this.#find();
        if (found === undefined) return undefined;
        this.#requireOurs(found.copy, false);
        state = found;
        lastError = undefined;
      } catch (error) {
        if (!errors.isTransient(error)) throw error;
        lastError = error;
      }
    }
  }

  #outcome(copy: SigningObject, now: Date): Collected | undefined {
    const denied = condition(copy, "Denied");
    if (denied) throw errors.denied(this.name, denied);
    const failed = condition(copy, "Failed");
    if (failed) throw errors.failed(this.name, failed, this.#wanted.signerName);
    return collectedFrom(copy, now);
  }

  /** Approves the request. Returns the server's copy with the decision, ours or another one; undefined if it was deleted. */
  async #approve(first: SigningObject): Promise<SigningObject | undefined> {
    const path = `${signingPath(this.name)}/approval`;
    let copy = first;
    for (let pauseMs = 5; ; pauseMs = Math.min(pauseMs * 2, 1_000)) {
      this.#requireOurs(copy, false);
      if (condition(copy, "Approved") || condition(copy, "Denied") || condition(copy, "Failed")) return copy;
      try {
        const answer = await this.#client.replace<SigningObject>(path, approved(copy), {
          timeoutMs: this.#requestMs(),
        });
        this.#requireOurs(answer, false);
        return answer;
      } catch (error) {
        if (isKubeError(error, "KUBE_FORBIDDEN")) throw errors.mayNotApprove(this.name, this.#wanted.signerName, error);
        const again = isKubeError(error, "KUBE_CONFLICT", "KUBE_NOT_FOUND") || errors.isTransient(error);
        if (!again) throw error;
        if (this.#leftMs() <= 0) {
          throw isKubeError(error, "KUBE_CONFLICT") ? errors.conflict(this.name, error) : error;
        }
        await this.#pause(pauseMs);
        const found = await this.#find();
        if (found === undefined) return undefined;
        copy = found.copy;
      }
    }
  }

  #announce(copy: SigningObject): void {
    if (this.#announced || condition(copy, "Approved")) return;
    this.#announced = true;
    const { request, signerName } = this.#wanted;
    const { log } = this.#context;
    log.info(
      `Another user must approve the certificate of ${describeUser(request)} (signer ${signerName}). Run: kubectl certificate approve ${this.name}`,
    );
  }

  #report(copy: SigningObject): void {
    const waitedMs = performance.now() - this.#started;
    if (waitedMs - this.#reportedAt < 1_000) return;
    this.#reportedAt = waitedMs;
    const what = condition(copy, "Approved")
      ? `${this.#wanted.signerName} to sign ${this.name}`
      : `approval: kubectl certificate approve ${this.name}`;
    this.#context.log.status(
      `Waiting for ${what} (${Math.round(waitedMs / 1000)} s of ${Math.round(this.#options.limitMs / 1000)} s)`,
    );
  }

  /** Timeout of one request: a part of the remaining time, so that a retry is possible. */
  #requestMs(): number {
    return Math.min(5_000, Math.max(this.#leftMs(), 500));
  }

  #leftMs(): number {
    return this.#options.limitMs - (performance.now() - this.#started);
  }

  #now(): Date {
    return new Date(this.#context.now());
  }

  async #pause(ms: number): Promise<void> {
    const jittered = Math.min(ms * (0.75 + Math.random() / 2), Math.max(this.#leftMs(), 1));
    await sleep(jittered, undefined, { signal: this.#context.signal }).catch(() => {
      throw errors.cancelled(this.name);
    });
  }
}
