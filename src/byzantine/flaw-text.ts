import type { Flaw } from './certificate.ts';
import type { EpochConfiguration, MemberIndex } from './epoch.ts';

/** What is wrong with a certificate, and with whom, as a sentence for people. */
export function flawText(flaw: Flaw, { members }: EpochConfiguration): string {
  const name = (member: MemberIndex): string => members[member]?.nodeId ?? `member ${member}, who does not exist`;
  switch (flaw.code) {
    case 'wrong_cluster':
      return `it is of the cluster ${flaw.found}, not of ${flaw.expected}`;
    case 'wrong_epoch':
      return `it is of epoch ${flaw.found}, the members of epoch ${flaw.expected} are known`;
    case 'wrong_configuration':
      return 'its members are not those that are known';
    case 'no_fault_tolerance':
      return `the cluster has ${flaw.members} members: with fewer than 4, one liar decides`;
    case 'wrong_proposal':
      return `the signatures are about the proposal ${flaw.attested}, enclosed is ${flaw.enclosed}`;
    case 'invalid_proposal':
      return `the proposal is not valid: ${flaw.field}`;
    case 'bad_proposal_signature':
      return `the signature of the proposer ${name(flaw.proposer)} is not right`;
    case 'invalid_outcome':
      return `the outcome of item ${flaw.item} is none that the proposal allows`;
    case 'bad_signature':
      return `the signature of ${name(flaw.member)} is not right`;
    case 'quorum_short':
      return `${flaw.signatures} right signatures, ${flaw.quorum - flaw.signatures} short of the quorum of ${flaw.quorum}`;
    case 'bad_ballot':
      return `the ballot of ${name(flaw.member)}: ${flaw.detail}`;
    case 'unsupported':
      return `the outcome of item ${flaw.item} has ${flaw.ballots} of the ${flaw.minSupport} ballots that it needs`;
  }
}
