import { encodeAccusation } from '../byzantine/evidence-encoding.ts';
import type { Accusation, Evidence } from '../byzantine/evidence.ts';
import type { EpochConfiguration } from '../byzantine/epoch.ts';

/** Evidence as JSON: fields for people, all of them made from `evidence`, which alone may be proof. */
export interface EvidenceDocument {
  readonly format: 'quorate-evidence/1';
  readonly cluster: string;
  readonly epoch: number;
  readonly kind: Evidence['kind'];
  /** The member that lied. */
  readonly node: string;
  /** The vote in which it did. */
  readonly proposal: string;
  readonly detail: string;
  /** It convinces others too, by the member's own signatures; else only the node that saw it. */
  readonly isTransferable: boolean;
  /** The bytes, in base64. */
  readonly evidence: string;
}

/** `configuration`: of the epoch that it is about. */
export function evidenceDocument(accusation: Accusation, { cluster, members }: EpochConfiguration): EvidenceDocument {
  const { epoch, evidence } = accusation;
  const { kind, member, proposal } = evidence;
  const isTransferable = kind !== 'equivocation_mac';
  return {
    format: 'quorate-evidence/1',
    cluster,
    epoch,
    kind,
    node: members[member]?.nodeId ?? `member ${member}`,
    proposal,
    detail: kind === 'equivocation_mac' ? evidence.why : 'it signed two different ones',
    isTransferable,
    evidence: Buffer.from(encodeAccusation(accusation)).toString('base64'),
  };
}
