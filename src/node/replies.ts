import type { NodeId } from '../core/ids.ts';
import type { Reply } from '../wire/frames.ts';
import type { Outbox } from './outbox.ts';

/** A leader's replies of one turn: one frame for each node that asked. */
export class Replies {
  readonly #outbox: Outbox;
  #replies = new Map<NodeId, { readonly id: number; readonly reply: Reply }[]>();

  constructor(outbox: Outbox) {
    this.#outbox = outbox;
  }

  add(to: NodeId, id: number, reply: Reply): void {
    const replies = this.#replies.get(to);
    if (replies === undefined) this.#replies.set(to, [{ id, reply }]);
    else replies.push({ id, reply });
  }

  flush(): void {
    if (this.#replies.size === 0) return;
    for (const [to, replies] of this.#replies) this.#outbox.frame(to, { kind: 'reply', replies });
    this.#replies = new Map();
  }
}
