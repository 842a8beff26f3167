import { describe, expect, it } from 'vitest'
import { loadHash } from '../../../src/bytes/hash.js'
import { seeds, withSeeds } from '../reproduce.js'
import type { SeededRandom } from '../seeded-random.js'
import type { Files } from './bounds.js'
import {
  type Answer,
  answerOfShards,
  answerTo,
  sampleShards,
  sampleStore,
  senselessFile,
  senselessOwnership,
  senselessState,
} from './sealed-sweep.js'

/** `node tools/trust.mjs sealed --rounds N`: so many hundreds of files of each sort. */
const ROUNDS = Number(process.env['SILTSTONE_SEALED_ROUNDS'] ?? 0)
const FILES = ROUNDS > 0 ? ROUNDS * 100 : 40
const STATES = ROUNDS > 0 ? ROUNDS * 50 : 20
/** Another stretch of seeds for each long run; said where one fails. */
const FIRST = ROUNDS > 0 ? Math.floor(Date.now() / 1000) : 1

type Mutate = (
  random: SeededRandom,
  sample: Files,
) => { files: Files; path: string } | Promise<{ files: Files; path: string }>

async function sweep(
  count: number,
  mutate: Mutate,
  make = sampleStore,
  judge = answerTo,
): Promise<Map<Answer, number>> {
  await loadHash()
  const sample = await make()
  const tally = new Map<Answer, number>()
  const one = async (random: SeededRandom): Promise<void> => {
    const { files, path } = await mutate(random, sample)
    try {
      const answer = await judge(files)
      tally.set(answer, (tally.get(answer) ?? 0) + 1)
    } catch (error) {
      if (error instanceof Error) error.message = `${path}: ${error.message}`
      throw error
    }
  }
  await withSeeds(count, one, FIRST)
  if (ROUNDS > 0) console.log(`${seeds(count, FIRST).length} stores from seed ${FIRST}:`, Object.fromEntries(tally))
  return tally
}

describe('what makes no sense though its checksum is right', { timeout: 0 }, () => {
  it('in a file is refused as damage or does no harm, and costs no more than its length', async () => {
    const tally = await sweep(FILES, senselessFile)
    expect(tally.get('refused to open')).toBeGreaterThan(0)
    expect(tally.get('refused to read')).toBeGreaterThan(0)
  })

  it('in what a store remembers of its queues is refused as damage or does no harm', async () => {
    await sweep(STATES, senselessState)
  })

  it('in the directory of a sharded store is refused as damage or does no harm', async () => {
    await sweep(STATES, senselessOwnership, sampleShards, answerOfShards)
  })
})
