import { expect } from 'chai';
import * as fc from 'fast-check';
import { concatBytes } from '../../src/core/bytes.ts';
import { FrameReader, frameHeaderBytes, writeFrame } from '../../src/transport/framing.ts';
import { SendQueue, defaultTransportLimits } from '../../src/transport/send-queue.ts';
import type { TransportLimits } from '../../src/transport/send-queue.ts';

const framed = (frames: readonly Uint8Array[]): Uint8Array =>
  concatBytes(
    frames.map((frame) => {
      const bytes = new Uint8Array(frameHeaderBytes + frame.length);
      writeFrame(bytes, 0, frame);
      return bytes;
    }),
  );

const limits = (some: Partial<TransportLimits>): TransportLimits => ({ ...defaultTransportLimits, ...some });

const frameOf = (value: number, length = 1): Uint8Array => new Uint8Array(length).fill(value);

describe('transport: framing', () => {
  it('writes the length as a little-endian u32 in front of the frame', () => {
    const target = new Uint8Array(4 + 0x0102);

    const end = writeFrame(target, 0, frameOf(9, 0x0102));

    expect([...target.subarray(0, 6)]).to.deep.equal([2, 1, 0, 0, 9, 9]);
    expect(end).to.equal(target.length);
  });

  it('finds the same frames however the bytes were cut into chunks', () => {
    const frames = fc.array(fc.uint8Array({ minLength: 1, maxLength: 40 }), { minLength: 1, maxLength: 20 });
    const cuts = fc.array(fc.nat({ max: 900 }), { maxLength: 30 });

    fc.assert(
      fc.property(frames, cuts, (sent, places) => {
        const received: number[][] = [];
        const reader = new FrameReader(40, (frame) => received.push([...frame]));
        const bytes = framed(sent);
        const edges = [0, ...places.filter((place) => place < bytes.length).toSorted((a, b) => a - b), bytes.length];
        for (const [i, edge] of edges.entries()) expect(reader.push(bytes.subarray(edge, edges[i + 1] ?? edge))).to.equal(true);
        expect(received).to.deep.equal(sent.map((frame) => [...frame]));
      }),
    );
  });

  it('lends a view of the chunk when the frame lies whole within it', () => {
    const bytes = framed([frameOf(1, 10), frameOf(2, 10)]);
    const buffers: ArrayBufferLike[] = [];
    const reader = new FrameReader(10, (frame) => buffers.push(frame.buffer));

    reader.push(bytes);

    expect(buffers).to.deep.equal([bytes.buffer, bytes.buffer]);
    expect(buffers.every((buffer) => buffer === bytes.buffer)).to.equal(true);
  });

  for (const [what, header] of [
    ['zero', [0, 0, 0, 0]],
    ['one above the limit', [11, 0, 0, 0]],
    ['the largest a u32 holds', [255, 255, 255, 255]],
  ] as const) {
    it(`refuses a length of ${what}, after the good frames before it`, () => {
      const received: Uint8Array[] = [];
      const reader = new FrameReader(10, (frame) => received.push(frame));

      const good = reader.push(concatBytes([framed([frameOf(1, 10)]), Uint8Array.from(header)]));

      expect(good).to.equal(false);
      expect(received.length).to.equal(1);
    });
  }
});

describe('transport: the queue of what waits for a peer', () => {
  it('joins what waits into one piece', () => {
    const queue = new SendQueue(limits({}));
    const frames = Array.from({ length: 64 }, (_, i) => frameOf(i, 128));

    for (const frame of frames) queue.push(frame);
    const batch = queue.takeBatch();

    expect(batch?.frames).to.equal(64);
    expect([...(batch?.bytes ?? [])]).to.deep.equal([...framed(frames)]);
    expect(queue.takeBatch()).to.equal(undefined);
    expect([queue.frames, queue.bytes]).to.deep.equal([0, 0]);
  });

  it('drops the oldest when there are too many, and says how many', () => {
    const queue = new SendQueue(limits({ maxQueuedFrames: 3 }));

    const dropped = [1, 2, 3, 4, 5].map((value) => queue.push(frameOf(value)));

    expect(dropped).to.deep.equal([0, 0, 0, 1, 1]);
    expect([...(queue.takeBatch()?.bytes ?? [])]).to.deep.equal([...framed([frameOf(3), frameOf(4), frameOf(5)])]);
  });

  it('drops as many of the oldest as a large frame needs', () => {
    const queue = new SendQueue(limits({ maxFrameBytes: 96, maxQueuedBytes: 100, maxBatchBytes: 100 }));

    const dropped = [frameOf(1, 30), frameOf(2, 30), frameOf(3, 20), frameOf(4, 60)].map((frame) => queue.push(frame));

    expect(dropped).to.deep.equal([0, 0, 0, 2]);
    expect(queue.bytes).to.equal(88);
    expect([...(queue.takeBatch()?.bytes ?? [])]).to.deep.equal([...framed([frameOf(3, 20), frameOf(4, 60)])]);
  });

  it('takes pieces of at most the batch size, and a larger frame alone', () => {
    const queue = new SendQueue(limits({ maxBatchBytes: 40 }));
    for (const frame of [frameOf(1, 10), frameOf(2, 10), frameOf(3, 10), frameOf(4, 100), frameOf(5, 1)]) queue.push(frame);

    const sizes = [queue.takeBatch(), queue.takeBatch(), queue.takeBatch(), queue.takeBatch()].map((batch) => batch?.bytes.length);

    expect(sizes).to.deep.equal([28, 14, 104, 5]);
  });

  it('stays within its bounds whatever is pushed and taken', () => {
    const steps = fc.array(fc.oneof(fc.integer({ min: 1, max: 50 }), fc.constant(0)), { maxLength: 300 });

    fc.assert(
      fc.property(steps, (sizes) => {
        const queue = new SendQueue(limits({ maxFrameBytes: 50, maxQueuedFrames: 5, maxQueuedBytes: 120, maxBatchBytes: 60 }));
        let pushed = 0;
        let gone = 0;
        for (const size of sizes) {
          if (size === 0) gone += queue.takeBatch()?.frames ?? 0;
          else {
            gone += queue.push(frameOf(1, size));
            pushed++;
          }
          expect(queue.frames).to.be.at.most(5);
          expect(queue.bytes).to.be.at.most(120);
          expect(queue.frames).to.equal(pushed - gone);
        }
      }),
    );
  });
});
