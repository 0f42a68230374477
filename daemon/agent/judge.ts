import { z } from 'zod';
import { messageOf } from '../cli-error.ts';
import type { Environment } from '../node/config.ts';
import type { Http } from '../http.ts';
import { Subprocess } from './subprocess.ts';

export interface JudgeOptions {
  /** Run by `sh -c` for each vote. */
  readonly exec: string;
  /** To the node whose opinion is given, and to no other. */
  readonly http: Http;
  readonly env: Environment;
  /** One line for a person. */
  readonly log: (text: string) => void;
}

const questionSchema = z.object({ type: z.literal('vote'), id: z.string(), kind: z.string(), subject: z.string() });
type Question = z.infer<typeof questionSchema>;

/** Commands at once; the next heartbeat asks on. */
const maxJudging = 4;

/**
 * Gives a node's opinion on votes: runs a command for each that a heartbeat asks about, with the vote as JSON on its stdin and `QUORATE_VOTE_ID`, `_KIND` and
 * `_SUBJECT` in its environment. Exit 0 casts what it prints; after another exit it has no opinion, and is asked again with a later heartbeat.
 */
export class Judge {
  readonly #options: JudgeOptions;
  readonly #judging = new Map<string, Subprocess | undefined>();

  constructor(options: JudgeOptions) {
    this.#options = options;
  }

  hear(commands: readonly unknown[]): void {
    for (const command of commands) {
      const question = questionSchema.safeParse(command);
      if (!question.success || this.#judging.has(question.data.id) || this.#judging.size >= maxJudging) continue;
      void this.#judge(question.data);
    }
  }

  /** Ends what runs: what was not cast is asked again, of this node's next judge. */
  stop(): void {
    for (const command of this.#judging.values()) command?.killNow();
  }

  async #judge({ id, kind, subject }: Question): Promise<void> {
    const { exec, http, env, log } = this.#options;
    const path = `/v1/votes/${encodeURIComponent(id)}`;
    this.#judging.set(id, undefined);
    try {
      const vote = await http.request('GET', path);
      const about = { QUORATE_VOTE_ID: id, QUORATE_VOTE_KIND: kind, QUORATE_VOTE_SUBJECT: subject };
      const command = new Subprocess({ command: exec, stdin: JSON.stringify(vote), env: { ...env, ...about } });
      this.#judging.set(id, command);
      const { exitCode, stdout, stderr } = await command.result;
      if (exitCode !== 0) return log(`no opinion on ${subject}: ${stderr === '' ? `exit code ${exitCode ?? 'none'}` : stderr}`);
      await http.request('POST', `${path}/ballots`, { body: { choice: stdout }, isRepeatable: true });
      log(`voted ${stdout} on ${subject}`);
    } catch (error) {
      log(`no ballot on ${subject}: ${messageOf(error)}`);
    } finally {
      this.#judging.delete(id);
    }
  }
}
