/**
 * The seed of generated specs. The default is constant, so that a run can be repeated. SEED=7 is another seed, and
 * SEED=random is a new one in each run.
 */
export const SEED = seedFrom(process.env.SEED);

function seedFrom(given = '1'): number {
  const seed = given === 'random' ? Math.floor(Math.random() * 2 ** 31) : Number(given);
  if (!Number.isInteger(seed) || Math.abs(seed) >= 2 ** 31) {
    throw new Error(`SEED is ${given}; give a whole number of 32 bits, or "random".`);
  }
  return seed;
}
