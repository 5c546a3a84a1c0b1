import { setTimeout as sleep } from "node:timers/promises";
import { KubeClient } from "../../kubernetes/client.ts";
import { isKubeError, type KubeError } from "../../kubernetes/errors.ts";
import { isProviderError } from "../protocol/errors.ts";
import type { Context } from "../protocol/resource.ts";
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

/** How a request is brought to its end. */
export interface SigningOptions {
  readonly requester: Requester;
  /** Version of the API server; "" where it is not known. */
  readonly version: string;
  readonly approval: "auto" | "external";
  readonly limitMs: number;
  /** Whether a certificate that an earlier run left uncollected is still worth collecting. */
  readonly isFresh: (collected: Collected) => Promise<boolean>;
}

/** A request that was deleted under our hands is made again this often. */
const maxPosts = 3;

/** The way of one request: posted, compared, approved, awaited, and deleted when its certificate is in safe hands. */
export class Signing {
  readonly name: string;
  readonly #client: KubeClient;
  readonly #wanted: CertificateSpec;
  readonly #options: SigningOptions;
  readonly #context: Context;
  readonly #started = performance.now();
  /** Whether an earlier run had begun with it. */
  resumed = false;
  /** Of the object that is ours; what has the name and another UID is not. */
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
   * Posts the request, or finds what an earlier run left of it, and sees it through.
   *
   * @throws ProviderError CERTIFICATE_NAME_TAKEN, CERTIFICATE_REQUEST_OTHER, CERTIFICATE_REQUEST_GONE, CERTIFICATE_MAY_NOT_APPROVE,
   *   CERTIFICATE_APPROVAL_CONFLICT, CERTIFICATE_NOT_APPROVED, CERTIFICATE_DENIED, CERTIFICATE_FAILED, CERTIFICATE_NOT_ISSUED,
   *   CANCELLED; KubeError
   */
  async collect(): Promise<Collected> {
    let replaced = false;
    for (let round = 1; round <= maxPosts; round++) {
      this.#uid = undefined;
      const { copy, now, found, ownWork } = await this.#post();
      this.#requireOurs(copy, found);
      this.#uid = copy.metadata?.uid;
      if (found && !replaced && (await this.#isUnusable(copy, now))) {
        this.#context.log.debug(`${this.name} is left of an earlier run and of no use any more: it is made anew.`);
        await this.remove();
        replaced = true;
        round--;
        continue;
      }
      this.resumed = found && !ownWork;
      if (this.resumed)
        this.#context.log.info(`Going on with the CertificateSigningRequest ${this.name} of an earlier run.`);
      const collected = await this.#await(copy, now);
      if (collected !== undefined) return collected;
      this.#context.log.warn(`The CertificateSigningRequest ${this.name} was deleted while it was awaited.`);
    }
    throw errors.gone(this.name, maxPosts);
  }

  /** Deletes the request, if it is still ours. */
  async remove(client: KubeClient = this.#client, timeoutMs = 5_000): Promise<void> {
    if (this.#uid === undefined) return;
    try {
      // Bound to the UID, it can be repeated.
      const options = { uid: this.#uid, ignoreNotFound: true, safe: true, timeoutMs };
      await client.delete(signingPath(this.name), options);
    } catch (error) {
      // Another one has the name by now.
      if (!isKubeError(error, "KUBE_CONFLICT")) throw error;
    }
    this.#uid = undefined;
  }

  /** Deletes the request; one that cannot be deleted is no reason to lose a good certificate. */
  async cleanUp(): Promise<void> {
    // The next run collects the same certificate from it.
    if (this.#context.engineGone()) return;
    await this.#removeAnyway().catch((error: Error) => {
      this.#context.log.warn(
        `The CertificateSigningRequest ${this.name} could not be deleted; Kubernetes does it an hour after its approval. ${error.message}`,
      );
    });
  }

  /**
   * After a failure: leaves nothing that nobody will collect. What waits for somebody's approval stays, for the next run
   * to go on with, and so does a denial, for people to read. What a killed run posted stays for the next run.
   */
  async abandon(error: unknown): Promise<void> {
    const waits = this.#options.approval === "external" && !isProviderError(error, ...errors.afterCollection);
    if (waits || isProviderError(error, "CERTIFICATE_DENIED") || this.#uid === undefined) return;
    if (this.#context.engineGone()) return;
    await this.#removeAnyway().catch((reason: Error) => {
      this.#context.log.warn(
        `The CertificateSigningRequest ${this.name} is still there: the next run goes on with it. ${reason.message}`,
      );
    });
  }

  /** What the user cancelled is cleaned up all the same, with a client that does not end with the context's signal. */
  async #removeAnyway(): Promise<void> {
    if (!this.#context.signal.aborted) return this.remove();
    using client = new KubeClient(this.#client.connection);
    await this.remove(client, 1_000);
  }

  /** The name comes from the content, so that a POST whose answer was lost can be repeated. */
  async #post(): Promise<{ copy: SigningObject; now: Date; found: boolean; ownWork: boolean }> {
    const body = signingBody(this.#wanted, { name: this.name });
    let lost = false;
    for (let pauseMs = 50; ; pauseMs *= 2) {
      try {
        const { body: copy, date } = await this.#client.exchange<SigningObject>("POST", signingPath(), { body });
        return { copy, now: date ?? this.#now(), found: false, ownWork: true };
      } catch (error) {
        if (isKubeError(error, "KUBE_ALREADY_EXISTS")) {
          const there = await this.#find();
          if (there !== undefined) return { ...there, found: true, ownWork: lost };
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
    // Ours by the server's own answer: it may be deleted.
    if (!found) this.#uid ??= copy.metadata?.uid;
    throw found ? errors.nameTaken(this.name, wrong) : errors.changedByOthers(this.name, wrong);
  }

  /** It failed, or its certificate is due for renewal, or was never made within the life of such a request. */
  async #isUnusable(copy: SigningObject, now: Date): Promise<boolean> {
    if (condition(copy, "Denied")) return false;
    if (condition(copy, "Failed")) return true;
    const collected = collectedFrom(copy, now);
    return collected !== undefined && !(await this.#options.isFresh(collected));
  }

  /** Undefined when it was deleted meanwhile. */
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

  /** The server's copy after the approval, or after somebody else's decision; undefined when it is gone. */
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
      `Somebody has to approve the certificate of user ${JSON.stringify(request.commonName)} (signer ${signerName}). Run: kubectl certificate approve ${this.name}`,
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

  /** One request that gets no answer must not use up all the time that there is. */
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
