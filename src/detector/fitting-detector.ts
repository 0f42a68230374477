import { directMembers } from '../core/direct-members.ts';
import type { NodeId } from '../core/ids.ts';
import type { Detector } from './detector.ts';
import { LinkDetector, type LinkDetectorOptions } from './link-detector.ts';
import { Swim, type SwimOptions } from './swim.ts';

/** The detector for this node with these peers: the one before, if it fits; else the other kind, which begins with what was known. */
export function fittingDetector(
  options: LinkDetectorOptions & SwimOptions,
  before: Detector | undefined,
  peers: readonly NodeId[],
  nowMs: number,
): Detector {
  const isLarge = peers.length + 1 > directMembers;
  const fits = before !== undefined && before instanceof Swim === isLarge;
  const detector = fits ? before : new (isLarge ? Swim : LinkDetector)(options, nowMs);
  detector.setPeers(peers, nowMs);
  if (!fits && before !== undefined) detector.adopt(before.losses(), nowMs);
  return detector;
}
