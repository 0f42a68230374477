import type { Certificate } from '../../byzantine/certificate.ts';
import type { EpochConfiguration, MemberIndex } from '../../byzantine/epoch.ts';
import type { SignedProposal } from '../../byzantine/proposal.ts';
import { byzantineQuorum, faultTolerance } from '../../byzantine/quorum.ts';
import { expired, split } from '../../byzantine/witness.ts';
import { type Instance, optionName } from './instance.ts';
import { voteName } from './vote-name.ts';
import type { VoteEvent, VoteView } from './vote-service.ts';

const nameOf = ({ members }: EpochConfiguration, member: MemberIndex): string => members[member]?.nodeId ?? `member ${member}`;

type Asked = Omit<VoteView, 'state' | 'payload' | 'outcome' | 'ballots' | 'certificate'>;

function asked({ id, proposal }: SignedProposal, configuration: EpochConfiguration, item: number): Asked {
  const { kind, items, options, minSupport, timeoutMs, notAfterMs, proposer } = proposal;
  const n = configuration.members.length;
  const { subject = '', payloadDigest = '' } = items[item] ?? {};
  return {
    id: voteName(id, item, items.length),
    proposal: id,
    item,
    items: items.length,
    kind,
    subject,
    payloadDigest,
    options,
    minSupport,
    proposer: nameOf(configuration, proposer),
    timeoutMs,
    notAfterMs,
    n,
    f: faultTolerance(n),
    quorum: byzantineQuorum(n),
  };
}

/** A vote without a certificate: whatever its ballots say, nobody may act on it. */
export function openView(instance: Instance, configuration: EpochConfiguration, item: number): VoteView {
  const { options, items } = instance.proposal.proposal;
  const about = items[item];
  return {
    ...asked(instance.proposal, configuration, item),
    state: 'open',
    payload: about && instance.payloads.get(about.payloadDigest),
    outcome: undefined,
    ballots: instance.ballots.flatMap((ballot) =>
      ballot === undefined ? [] : [{ node: nameOf(configuration, ballot.voter), choice: optionName(options, ballot.choices[item]) }],
    ),
    certificate: undefined,
  };
}

/** How a vote ended for one of its items. */
type VoteResult = Pick<VoteView, 'state' | 'outcome'>;

function resultOf({ proposal, attestation }: Certificate, item: number): VoteResult {
  const choice = attestation.outcome[item];
  if (choice === split) return { state: 'no_consensus', outcome: 'split' };
  if (choice === expired) return { state: 'no_consensus', outcome: 'expired' };
  return { state: 'decided', outcome: optionName(proposal.proposal.options, choice) ?? undefined };
}

export function certifiedView(certificate: Certificate, configuration: EpochConfiguration, item: number): VoteView {
  const { options } = certificate.proposal.proposal;
  return {
    ...asked(certificate.proposal, configuration, item),
    ...resultOf(certificate, item),
    payload: undefined,
    ballots: certificate.ballots.map(({ ballot }) => ({
      node: nameOf(configuration, ballot.voter),
      choice: optionName(options, ballot.choices[item]),
    })),
    certificate,
  };
}

/** For watchers, one for each item. `certificate`: how it ended. */
export function eventsOf({ id, proposal }: SignedProposal, certificate?: Certificate): readonly VoteEvent[] {
  const { kind: type, items } = proposal;
  return items.map(({ subject }, item) => {
    const result: VoteResult = certificate === undefined ? { state: 'open', outcome: undefined } : resultOf(certificate, item);
    return { kind: 'vote', vote: voteName(id, item, items.length), type, subject, ...result };
  });
}
