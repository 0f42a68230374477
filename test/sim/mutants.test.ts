import { expect } from 'chai';
import { fileURLToPath } from 'node:url';
import { plantIn, readMutants } from '../../daemon/simulate/mutants.ts';
import { MutantError, parseMutant, plant } from '../../sim/mutant.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));

describe('planted bugs', () => {
  it('each fits the sources in exactly one place', () => {
    for (const mutant of readMutants(root)) {
      for (const [file, text] of plantIn(root, mutant)) expect(text, `${mutant.name} in ${file}`).not.to.equal('');
    }
  });

  it('changes lines however they are indented', () => {
    const bug = parseMutant('x', 'title t\nsource s\nin a.ts\n- one(1);\n- two();\n+ three();\n');

    expect(plant('x', 'zero();\n    one(1);\n    two();\nfour();\n', bug.changes[0] ?? { file: '', before: [], after: [] })).to.equal(
      'zero();\n    three();\nfour();\n',
    );
  });

  it('refuses a place that is there twice, or not at all, and a text that is not understood', () => {
    const change = { file: 'a.ts', before: ['one();'], after: [''] };

    expect(() => plant('x', 'one(); one();', change)).to.throw(MutantError, '2 places');
    expect(() => plant('x', '', change)).to.throw(MutantError, '0 places');
    expect(() => parseMutant('x', 'title t\n')).to.throw(MutantError, 'needs');
    expect(() => parseMutant('x', 'titel t\n')).to.throw(MutantError, 'line 1');
  });
});
