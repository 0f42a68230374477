/** An invariant of a run was broken. */
export class Violation extends Error {
  override readonly name = 'Violation';
  readonly invariant: string;

  constructor(invariant: string, detail: string) {
    super(`${invariant}: ${detail}`);
    this.invariant = invariant;
  }
}

/** States an invariant of the world, by its name and source. */
export function hold(condition: boolean, invariant: string, detail: () => string): asserts condition {
  if (!condition) throw new Violation(invariant, detail());
}
