import type { Certificate, Trust } from '../../../src/byzantine/certificate.ts';
import { checkCertificate } from '../../../src/byzantine/certificate.ts';
import type { MemberIndex } from '../../../src/byzantine/epoch.ts';
import { hold } from '../../violation.ts';
import type { VoteInvariant } from './invariant.ts';

/** I6: a certificate that a member takes has right signatures of Q different members of its epoch, and all else that an offline verifier asks for. */
export class SoundCertificate implements VoteInvariant {
  readonly name = 'sound-certificate';
  readonly #trust: Trust;

  constructor(trust: Trust) {
    this.#trust = trust;
  }

  onCertified(member: MemberIndex, certificate: Certificate): void {
    const [objection] = checkCertificate(certificate, this.#trust);
    hold(objection === undefined, this.name, () => `member ${member} took a certificate: ${objection?.code}`);
  }
}
