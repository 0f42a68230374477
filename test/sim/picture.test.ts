import { expect } from 'chai';
import { drawPlan } from '../../sim/draw-plan.ts';
import { drawHtml } from '../../sim/picture/html.ts';
import { type Mark, Recorder, type Recording, recordingOf } from '../../sim/picture/recording.ts';
import { partitionsOf, pausesOf, spansOf } from '../../sim/picture/spans.ts';
import { drawSvg } from '../../sim/picture/svg.ts';
import { run } from '../../sim/run.ts';

const mark = (atUs: number, kind: string, node: number, x = 0, y = 0): Mark => ({ atUs, kind, node, x, y });

const small: Recording = {
  title: 'a small run',
  seed: 9,
  scenario: 'random',
  verdict: 'ok',
  nodes: ['n1', 'n2', 'n3'],
  endUs: 1_000_000,
  facts: ['1 elections'],
  marks: [mark(0, 'start', 0), mark(0, 'start', 1), mark(0, 'start', 2), mark(200_000, 'term', 1, 1), mark(200_000, 'leader', 1, 1)],
};

const record = (seed: number): Recording => {
  const recorder = new Recorder();
  const result = run({ seed, scenario: 'random', plan: drawPlan(seed, 3, 3_000), onMark: recorder.add });
  return recordingOf(result, { title: 'faults', nodes: 3, faultyMs: 3_000 }, recorder);
};

/** What is wrong with the nesting of tags, if anything. Enough for markup without comments and CDATA. */
function imbalance(markup: string): string | undefined {
  const open: string[] = [];
  for (const [tag, closes, name = '', selfCloses] of markup.matchAll(/<(\/?)([a-zA-Z]+)(?:\s+[\w:-]+="[^"<>]*")*\s*(\/?)>/g)) {
    if (closes === '' && selfCloses === '') open.push(name);
    else if (closes !== '' && open.pop() !== name) return `${tag} closes nothing`;
  }
  const rest = markup.replaceAll(/<(\/?)([a-zA-Z]+)(?:\s+[\w:-]+="[^"<>]*")*\s*(\/?)>/g, '');
  if (/[<]|&(?!amp;|lt;|gt;|quot;|#39;)/.test(rest)) return `a stray < or & in the text`;
  return open.length === 0 ? undefined : `${open.join(' ')} stay open`;
}

const count = (markup: string, part: string): number => markup.split(part).length - 1;

describe('picture of a run', () => {
  it('is well-formed', () => {
    const svg = drawSvg(record(2));

    expect(imbalance(svg)).to.equal(undefined);
    expect(imbalance('<g><rect x="1"/></svg>')).not.to.equal(undefined);
    expect(imbalance('<g>a < b</g>')).not.to.equal(undefined);
  });

  it('has no place without a number', () => {
    expect(drawSvg(record(2))).not.to.match(/NaN|Infinity|undefined/);
    expect(drawSvg({ ...small, endUs: 0, marks: [] })).not.to.match(/NaN|Infinity|undefined/);
  });

  it('escapes every text', () => {
    const text = `<script>"&'\u0000`;
    const svg = drawSvg({
      ...small,
      title: text,
      scenario: text,
      facts: [text],
      nodes: [text, 'n2', 'n3'],
      violation: { atUs: 5, invariant: text, text },
    });

    expect(svg).not.to.include('<script>');
    expect(svg).not.to.include('\u0000');
    expect(imbalance(svg)).to.equal(undefined);
  });

  it('explains only the signs that it has', () => {
    expect(drawSvg(small)).not.to.include('>clock jump<');
    expect(drawSvg({ ...small, marks: [mark(7, 'clock', 0, 500)] }))
      .to.include('>clock jump<')
      .and.to.include('n1 has its clock moved by 500 ms');
  });

  it('draws a lane for each node and a bar for each leadership', () => {
    const svg = drawSvg(small);

    expect(count(svg, 'class="node-lane"')).to.equal(3);
    expect(count(svg, 'class="leader"')).to.equal(1);
    expect(svg).to.include('n2 leads term 1 from 0.200 s to 1.000 s');
  });

  it('marks what was violated, and only then', () => {
    const violation = { atUs: 900_000, node: 2, invariant: 'one-leader-per-term', text: 'n1 and n3 lead term 4' };

    expect(drawSvg({ ...small, verdict: 'unsafe', violation }))
      .to.include('id="violation"')
      .and.to.include('one-leader-per-term');
    expect(drawSvg(small)).not.to.include('id="violation"');
  });

  it('shows each message of a short run and only their number in a long one', () => {
    const frames = (n: number): Mark[] => Array.from({ length: n }, (_, i) => mark(i * 10, 'frame', 0, 1, 50));

    expect(drawSvg({ ...small, marks: frames(100) })).not.to.include('class="traffic"');
    expect(drawSvg({ ...small, marks: frames(5000) })).to.include('class="traffic"');
  });

  it('is the same to the byte for the same seed', () => {
    const [one, again, other] = [record(4), record(4), record(6)];

    expect(drawSvg(one)).to.equal(drawSvg(again));
    expect(drawHtml(one)).to.equal(drawHtml(again));
    expect(drawSvg(one)).not.to.equal(drawSvg(other));
  });

  it('asks for nothing from elsewhere', () => {
    expect(drawHtml(small).replaceAll('http://www.w3.org/2000/svg', '')).not.to.match(/https?:|src=|@import|<link/);
  });

  it('lists the events on the page, the violation last', () => {
    const violation = { atUs: 900_000, invariant: 'log-matching', text: 'a < b' };
    const html = drawHtml({ ...small, violation });

    expect(html).to.include('leads term 1');
    expect(html.lastIndexOf('log-matching: a &lt; b')).to.be.greaterThan(html.indexOf('leads term 1</td>'));
  });
});

describe('recording of a run', () => {
  it('does not change the run', () => {
    const recorder = new Recorder();
    const options = { seed: 3, scenario: 'random', plan: drawPlan(3, 3, 2_000) };

    expect(run({ ...options, onMark: recorder.add }).traceHash).to.equal(run(options).traceHash);
    expect(recorder.marks().length).to.be.greaterThan(100);
  });

  it('thins frames evenly and keeps every rare event', () => {
    const recorder = new Recorder();

    for (let i = 0; i < 100_000; i++) recorder.add(mark(i, 'frame', 0));
    for (let i = 0; i < 50; i++) recorder.add(mark(i * 1000, 'crash', 0));

    const marks = recorder.marks();
    const frames = marks.filter(({ kind }) => kind === 'frame');
    expect(frames.length).to.be.within(10_000, 20_000);
    expect(new Set(frames.slice(1).map(({ atUs }, i) => atUs - (frames[i]?.atUs ?? 0))).size).to.equal(1);
    expect(marks.filter(({ kind }) => kind === 'crash')).to.have.length(50);
  });

  it('drops and counts rare events above the bound', () => {
    const recorder = new Recorder();

    for (let i = 0; i < 20_005; i++) recorder.add(mark(i, 'term', 0, i));

    expect(recorder.marks()).to.have.length(20_000);
    expect(recorder.dropped).to.equal(5);
  });

  it('names the invariant and the node of an unsafe run', () => {
    const result = { ...run({ seed: 3, scenario: 'random', plan: drawPlan(3, 3, 500) }), verdict: 'unsafe' as const };
    const { violation } = recordingOf(
      { ...result, violation: 'monotonic-term: n2 saved term 1 after 2' },
      { title: '', nodes: 3, faultyMs: 500 },
      new Recorder(),
    );

    expect(violation).to.include({ invariant: 'monotonic-term', node: 1, text: 'n2 saved term 1 after 2' });
  });

  it('follows a node through terms, leadership and a crash', () => {
    const marks = [mark(0, 'start', 0), mark(10, 'term', 0, 1), mark(10, 'leader', 0, 1), mark(50, 'crash', 0), mark(70, 'start', 0)];

    expect(spansOf(marks, 0, 100)).to.deep.equal([
      { fromUs: 0, toUs: 10, state: 'up', term: 0 },
      { fromUs: 10, toUs: 50, state: 'leader', term: 1 },
      { fromUs: 50, toUs: 70, state: 'down', term: 1 },
      { fromUs: 70, toUs: 100, state: 'up', term: 1 },
    ]);
  });

  it('ends a pause with a resume, a crash or the run', () => {
    const marks = [
      mark(1, 'pause', 0),
      mark(2, 'resume', 0),
      mark(3, 'pause', 0),
      mark(4, 'crash', 0),
      mark(5, 'pause', 0),
      mark(6, 'pause', 1),
    ];

    expect(pausesOf(marks, 0, 9)).to.deep.equal([
      { fromUs: 1, toUs: 2 },
      { fromUs: 3, toUs: 4 },
      { fromUs: 5, toUs: 9 },
    ]);
  });

  it('finds the groups of a partition, in both directions or one', () => {
    const cut = [mark(10, 'cut', 0, 1), mark(10, 'cut', 0, 2)];
    const back = [mark(10, 'cut', 1, 0), mark(10, 'cut', 2, 0)];
    const groups = [[1, 2], [0]];

    expect(partitionsOf([...cut, ...back, mark(30, 'heal', 0)], 3, 99)).to.deep.equal([{ fromUs: 10, toUs: 30, groups, isOneWay: false }]);
    expect(partitionsOf(cut, 3, 99)).to.deep.equal([{ fromUs: 10, toUs: 99, groups, isOneWay: true }]);
  });
});
