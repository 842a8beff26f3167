import { relative } from 'node:path'
import { expect } from 'vitest'
import { SeededRandom } from './seeded-random.js'

/** The seeds of a random test: those given here, or the one that SILTSTONE_SEED names. */
export function seeds(count: number, first = 1): number[] {
  const named = process.env['SILTSTONE_SEED']
  if (named !== undefined) return [Number(named)]
  return Array.from({ length: count }, (_, i) => first + i)
}

/**
 * Runs a random test once for each seed. A failure says on one line how to see it again.
 *
 * @example
 * it('recovers from any crash', () => withSeeds(100, async (random, seed) => { … }))
 */
export async function withSeeds(
  count: number,
  run: (random: SeededRandom, seed: number) => void | Promise<void>,
  first = 1,
): Promise<void> {
  for (const seed of seeds(count, first)) {
    try {
      await run(new SeededRandom(seed), seed)
    } catch (error) {
      throw withCommand(error, seed)
    }
  }
}

/** The command that runs the current test again with this seed. */
export function reproduce(seed: number): string {
  const { testPath, currentTestName } = expect.getState()
  const file = testPath === undefined ? '' : ` ${relative(process.cwd(), testPath)}`
  const name = currentTestName === undefined ? '' : ` -t '${patternFor(currentTestName.replaceAll(' > ', ' '))}'`
  return `SILTSTONE_SEED=${seed} npx vitest run --config test/vitest.config.ts${file}${name}`
}

/** `-t` takes a pattern, inside the quotes of a shell. */
function patternFor(name: string): string {
  return name.replaceAll(/[.*+?^${}()|[\]\\']/g, '.')
}

function withCommand(error: unknown, seed: number): unknown {
  if (!(error instanceof Error)) return new Error(`${String(error)}\nAgain: ${reproduce(seed)}`)
  error.message += `\nAgain: ${reproduce(seed)}`
  return error
}
