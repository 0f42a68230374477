import type { Command } from 'commander';
import { verifyEvidence } from '../../src/verify/index.ts';
import { pageOf } from '../answers.ts';
import { CliError, usageError } from '../cli-error.ts';
import type { Context } from '../context.ts';
import { exitCodes } from '../exit-codes.ts';
import { openSession } from '../session.ts';
import { evidenceHead, evidenceRow, evidenceSchema } from '../vote-text.ts';
import { readInput, withGenesis } from './vote-verify.ts';

interface EvidenceFlags {
  readonly check?: string;
  readonly genesis?: string;
  readonly chain?: string;
  readonly allowUncertified?: boolean;
}

/** `vote evidence`: what a node keeps of members' lies, to be shown to others; and the check of such a file, which works offline. */
export function addEvidence(vote: Command, context: Context): void {
  vote
    .command('evidence')
    .description('list what the node saw members do that no honest one does; a line of -o ndjson, as a file, is evidence for others')
    .option('--check <file>', 'say whether this evidence proves what it says; needs --genesis and no cluster. Exit code 0: it does, 7: not')
    .option('--genesis <file>', "the cluster's genesis.json, from a source you trust")
    .option('--chain <file>', 'epochs after the founding, from `quorate vote epoch FILE` of any node; each is checked')
    .option('--allow-uncertified', 'believe members of the chain that no certificate proves; then it must come from a source you trust')
    .action(async ({ check, genesis, chain, allowUncertified = false }: EvidenceFlags, command: Command) => {
      const { http, printer } = openSession(command, context);
      if (check === undefined) {
        const answer = await http.request('GET', '/v1/votes/evidence');
        return printer.rows(answer, pageOf(evidenceSchema).parse(answer).items, evidenceHead, evidenceRow);
      }
      if (genesis === undefined)
        throw usageError('--check needs to know the members', 'name the genesis.json of the cluster with --genesis');
      const [file, members] = [await readInput(check), await readInput(genesis)];
      const known = { allowUncertified, ...(chain === undefined ? {} : { chain: (await readInput(chain)).toString('utf8') }) };
      const verdict = withGenesis(genesis, () => verifyEvidence(file.toString('utf8'), members.toString('utf8'), known));
      printer.value(verdict, () =>
        verdict.proven
          ? `proven\n${verdict.document.node} lied: ${verdict.document.kind}`
          : `not proven\n  ${verdict.reason}: ${verdict.detail}`,
      );
      if (!verdict.proven) throw new CliError(exitCodes.denied, `${check} proves nothing`, 'do not act on it');
      return undefined;
    });
}
