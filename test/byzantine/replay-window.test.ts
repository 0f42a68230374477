import { expect } from 'chai';
import * as fc from 'fast-check';
import { ReplayWindow, replayWindow } from '../../src/byzantine/replay-window.ts';

const taken = (frames: readonly (readonly [boot: number, seq: number])[]): boolean[] => {
  const window = new ReplayWindow();
  return frames.map(([boot, seq]) => window.take(boot, seq));
};

describe('byzantine: the replay window (protocol design 1.3)', () => {
  it('takes each number once, in any order', () => {
    expect(
      taken([
        [1, 0],
        [1, 2],
        [1, 1],
        [1, 2],
        [1, 0],
        [1, 3],
      ]),
    ).to.deep.equal([true, true, true, false, false, true]);
  });

  it('is 1,024 wide', () => {
    expect(
      taken([
        [1, 0],
        [1, 1],
        [1, 1024],
        [1, 1],
        [1, 0],
      ]),
    ).to.deep.equal([true, true, true, false, false]);
    expect(
      taken([
        [1, 5000],
        [1, 5000 - replayWindow + 1],
        [1, 5000 - replayWindow],
      ]),
    ).to.deep.equal([true, true, false]);
  });

  it('starts anew with a later start of the sender, and takes nothing of an earlier one', () => {
    expect(
      taken([
        [1, 900],
        [2, 900],
        [2, 0],
        [1, 901],
        [2, 0],
      ]),
    ).to.deep.equal([true, true, true, false, false]);
  });

  it('says the same as a list of all frames', () => {
    const frames = fc.array(fc.tuple(fc.integer({ min: 1, max: 3 }), fc.oneof(fc.nat(20), fc.nat(3000))), { maxLength: 200 });

    fc.assert(
      fc.property(frames, (all) => {
        const seen: (readonly [number, number])[] = [];
        const expected = all.map(([boot, seq]) => {
          const latest = Math.max(0, ...seen.map(([one]) => one));
          const ofBoot = seen.filter(([one]) => one === boot).map(([, one]) => one);
          const isTaken = boot >= latest && !ofBoot.includes(seq) && seq > Math.max(-1, ...ofBoot) - replayWindow;
          if (isTaken) seen.push([boot, seq]);
          return isTaken;
        });

        expect(taken(all)).to.deep.equal(expected);
      }),
    );
  });
});
