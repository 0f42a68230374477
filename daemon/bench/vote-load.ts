import { Agent, request } from 'node:http';
import { build, type Histogram } from 'hdr-histogram-js';
import { z } from 'zod';
import { certificateVerifier } from '../../src/verify/index.ts';
import { CliError, interrupted } from '../cli-error.ts';
import { exitCodes } from '../exit-codes.ts';
import { pause } from '../http.ts';

const answerSchema = z.object({
  items: z.array(z.object({ state: z.string() })),
  certificates: z.array(z.object({ id: z.string() }).loose()),
});

/** What each request asks for. */
export interface VoteLoadOptions {
  /** Things put to the vote. */
  readonly items: number;
  /** Each is put to a vote of its own; otherwise nodes may gather what comes at one time. */
  readonly isAlone: boolean;
  readonly interrupt: AbortSignal;
}

export interface VoteLoadResult {
  /** Microseconds from the request to its last certificate, verified. */
  readonly histogram: Histogram;
  readonly tookMs: number;
  /** What was asked for and is decided, each with a certificate that was verified. */
  readonly decisions: number;
  /** Certificates, each counted once however many decisions it proves. */
  readonly certificates: number;
  readonly failed: number;
}

/** Requests for votes in a closed loop over the nodes in turn. Each certificate is verified as a deploy tool would. */
export class VoteLoad {
  readonly #endpoints: readonly string[];
  readonly #verify: ReturnType<typeof certificateVerifier>;
  readonly #options: VoteLoadOptions;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 4096 });
  #next = 0;
  readonly #certificates = new Set<string>();
  #decisions = 0;

  constructor(endpoints: readonly string[], genesis: string, options: VoteLoadOptions) {
    this.#endpoints = endpoints;
    this.#verify = certificateVerifier(genesis);
    this.#options = options;
  }

  /** Resolves once every node decides: they have to find each other first. */
  async ready(): Promise<void> {
    for (let round = 0, decided = 0; decided < this.#endpoints.length; round++) {
      if (this.#options.interrupt.aborted) throw interrupted();
      if (round > 600) throw new CliError(exitCodes.unhealthy, 'the nodes reach no decision', 'see the logs of the nodes');
      if (await this.#decide()) decided++;
      else {
        decided = 0;
        await pause(100);
      }
    }
  }

  /** `lanes` requests are always in flight. */
  async run(lanes: number, durationMs: number): Promise<VoteLoadResult> {
    const histogram = build({ numberOfSignificantValueDigits: 3, highestTrackableValue: 60_000_000 });
    const startedMs = performance.now();
    let failed = 0;
    this.#certificates.clear();
    this.#decisions = 0;
    const lane = async (): Promise<void> => {
      while (performance.now() - startedMs < durationMs && !this.#options.interrupt.aborted) {
        const fromMs = performance.now();
        if (await this.#decide()) histogram.recordValue(Math.max(1, Math.round(1000 * (performance.now() - fromMs))));
        else failed++;
      }
    };
    await Promise.all(Array.from({ length: lanes }, lane));
    return { histogram, tookMs: performance.now() - startedMs, decisions: this.#decisions, certificates: this.#certificates.size, failed };
  }

  close(): void {
    this.#agent.destroy();
  }

  /** True if all that was asked was approved, by certificates that prove it. */
  async #decide(): Promise<boolean> {
    const endpoint = this.#endpoints[this.#next++ % this.#endpoints.length] ?? '';
    const { items, isAlone } = this.#options;
    const bodies = Array.from({ length: items }, (_, i) => ({
      kind: 'bench',
      subject: `item ${this.#next}.${i}`,
      bundle: !isAlone,
      wait: 20_000,
    }));
    const answer = answerSchema.safeParse(await this.#post(`${endpoint}/v1/votes`, JSON.stringify(bodies)));
    if (!answer.success) return false;
    const { certificates } = answer.data;
    if (!certificates.every((certificate) => this.#verify(JSON.stringify(certificate), { option: 'approve' }).valid)) return false;
    for (const { id } of certificates) this.#certificates.add(id);
    const decided = answer.data.items.filter(({ state }) => state === 'decided').length;
    this.#decisions += decided;
    return decided === items;
  }

  #post(url: string, body: string): Promise<unknown> {
    return new Promise((resolve) => {
      const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
      const sent = request(url, { method: 'POST', agent: this.#agent, headers }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', () => resolve(undefined));
        response.on('end', () => resolve(JSON.parse(Buffer.concat(chunks).toString('utf8'))));
      });
      sent.on('error', () => resolve(undefined));
      sent.end(body);
    });
  }
}
