import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { type CertificateDocument, decisionText, type Expectation, type Verdict, verifyCertificate } from '../../src/verify/index.ts';
import { CliError, messageOf } from '../cli-error.ts';
import type { Context } from '../context.ts';
import { exitCodes } from '../exit-codes.ts';
import { openSession } from '../session.ts';

/** `vote verify`: works offline. */
export function addVerify(vote: Command, context: Context): void {
  vote
    .command('verify')
    .description('say whether a certificate is valid, or exactly why not; needs no cluster. Exit code 0: valid, 7: not')
    .argument('<file>', 'the certificate')
    .requiredOption('--genesis <file>', "the cluster's genesis.json, from a source you trust")
    .option('--kind <kind>', 'refuse it if it is of another kind')
    .option('--subject <subject>', 'refuse it if it is about something else')
    .option('--payload <file>', 'refuse it if it is about another payload than the bytes of this file')
    .option('--option <option>', 'refuse it if another option was decided, for example --option approve')
    .option('--chain <file>', 'epochs after the founding, from `quorate vote epoch FILE` of any node; each is checked')
    .option('--allow-uncertified', 'believe members of the chain that no certificate proves; then it must come from a source you trust')
    .option('--at-present', 'refuse it if its time to be acted on is over')
    .option('--allow-no-fault-tolerance', 'accept clusters of fewer than 4 members, where one liar decides')
    .action(async (file: string, flags: VerifyFlags, command: Command) => {
      const { printer } = openSession(command, context);
      const verdict = await verify(file, flags);
      printer.value(verdict.valid ? { valid: true, ...verdict.document } : verdict, () => verdictText(verdict));
      if (verdict.valid) return;
      throw new CliError(
        exitCodes.denied,
        `${file} is not valid`,
        'do not act on it; get the certificate again, and check that the genesis is of the same cluster',
      );
    });
}

interface VerifyFlags {
  readonly genesis: string;
  readonly kind?: string;
  readonly subject?: string;
  readonly payload?: string;
  readonly option?: string;
  readonly chain?: string;
  readonly allowUncertified?: boolean;
  readonly atPresent?: boolean;
  readonly allowNoFaultTolerance?: boolean;
}

/** @throws CliError if a file can't be read or the genesis can't be used. */
async function verify(file: string, flags: VerifyFlags): Promise<Verdict> {
  const [certificate, genesis] = [await readInput(file), await readInput(flags.genesis)];
  const expected: Expectation = {
    ...(flags.kind === undefined ? {} : { kind: flags.kind }),
    ...(flags.subject === undefined ? {} : { subject: flags.subject }),
    ...(flags.option === undefined ? {} : { option: flags.option }),
    ...(flags.payload === undefined
      ? {}
      : {
          payloadDigest: createHash('sha256')
            .update(await readInput(flags.payload))
            .digest('hex'),
        }),
    ...(flags.chain === undefined ? {} : { chain: (await readInput(flags.chain)).toString('utf8') }),
    allowUncertified: flags.allowUncertified === true,
    ...(flags.atPresent === true ? { nowMs: Date.now() } : {}),
    allowNoFaultTolerance: flags.allowNoFaultTolerance === true,
  };
  return withGenesis(flags.genesis, () => verifyCertificate(certificate.toString('utf8'), genesis.toString('utf8'), expected));
}

/** @throws CliError if the genesis can't be used. */
export function withGenesis<T>(path: string, check: () => T): T {
  try {
    return check();
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new CliError(exitCodes.error, `the genesis ${path} can't be used: ${error.message}`, 'get it from a node of the cluster', {
      cause: error,
    });
  }
}

export async function readInput(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    throw new CliError(exitCodes.error, `${path} can't be read: ${messageOf(error)}`, 'name a file that exists', { cause: error });
  }
}

const verdictText = (verdict: Verdict): string =>
  verdict.valid
    ? describe(verdict.document)
    : ['invalid', ...verdict.objections.map(({ code, detail }) => `  ${code}: ${detail}`)].join('\n');

const describe = (document: CertificateDocument): string =>
  [
    'valid',
    ...document.items.map((item) => `${item.subject}: ${decisionText(item)}`),
    `cluster   ${document.cluster}, epoch ${document.epoch}, ${document.n} members of whom ${document.f} may lie`,
    `kind      ${document.kind}`,
    `proposal  ${document.id}, by ${document.proposer}`,
    `until     ${new Date(document.notAfterMs).toISOString()}`,
    `signers   ${document.signers.length} (quorum ${document.quorum}): ${document.signers.join(', ')}`,
    ...document.ballots.map(({ node, choices }) => `ballot    ${node}: ${[...new Set(choices.map((one) => one ?? 'abstain'))].join(', ')}`),
  ].join('\n');
