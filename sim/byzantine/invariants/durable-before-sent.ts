import type { MemberIndex } from '../../../src/byzantine/epoch.ts';
import type { ByzantineMessage } from '../../../src/byzantine/messages.ts';
import { isWithin } from '../../../src/byzantine/motion.ts';
import type { Memory } from '../../../src/byzantine/ready.ts';
import { equalBytes } from '../../../src/core/bytes.ts';
import { hold } from '../../violation.ts';
import type { VoteInvariant } from './invariant.ts';

/** I3: a member says nothing that it would not say again after a restart. */
export class DurableBeforeSent implements VoteInvariant {
  readonly name = 'durable-before-sent';

  onSent(member: MemberIndex, disk: Memory | undefined, message: ByzantineMessage): void {
    const is = (condition: boolean, what: string): void =>
      hold(condition, this.name, () => `member ${member} sent ${what} that it has not saved`);
    if (message.type === 'statement') {
      const { revision } = message.statement;
      is(revision <= (disk?.statement.revision ?? 0), `revision ${revision}`);
    } else if (message.type === 'ballot' && message.ballot.ballot.voter === member) {
      const saved = disk?.ballot?.ballot.choices;
      is(saved !== undefined && equalBytes(saved, message.ballot.ballot.choices), 'a ballot');
    } else if (message.type === 'expiry' && message.expiry.expiry.voter === member) {
      const saved = disk?.expiry?.expiry.items;
      // It may still show an earlier one.
      is(saved !== undefined && isWithin(message.expiry.expiry.items, saved), 'an expiry');
    }
  }
}
