import { describe, expect, it } from 'vitest'
import { withSeeds } from './reproduce.js'
import {
  type Answer,
  anatomyOfLog,
  answerTo,
  type Damage,
  dataFiles,
  type Image,
  kindOf,
  largeImage,
  smallImage,
} from './rot-sweep.js'

/** `npm run test:crash -- --rounds N`: three patterns for each byte, and N seeds for the samples. */
const ROUNDS = Number(process.env['SILTSTONE_CRASH_ROUNDS'] ?? 0)
const PATTERNS = [0x01, 0x80, 0xff]

/** Every byte of every file, each with one pattern or with all of them. */
function flips(image: Image, paths: readonly string[]): Damage[] {
  return paths.flatMap((path) =>
    Array.from(image.files.get(path)!, (_, offset) =>
      (ROUNDS > 0 ? PATTERNS : [PATTERNS[offset % 3]!]).map((xor): Damage => ({ kind: 'flip', path, offset, xor })),
    ).flat(),
  )
}

/** Every length that each file can be cut to. */
function cuts(image: Image, paths: readonly string[]): Damage[] {
  return paths.flatMap((path) =>
    Array.from(image.files.get(path)!, (_, bytes): Damage => ({ kind: 'cut', path, bytes })),
  )
}

/** How often the store gave each answer. */
async function answers(image: Image, damages: readonly Damage[]): Promise<Map<Answer, number>> {
  const tally = new Map<Answer, number>()
  const problems: string[] = []
  for (const damage of damages) {
    try {
      const answer = await answerTo(image, damage)
      tally.set(answer, (tally.get(answer) ?? 0) + 1)
    } catch (error) {
      problems.push(`${JSON.stringify(damage)}: ${error instanceof Error ? error.stack : String(error)}`)
    }
  }
  if (problems.length > 0)
    expect.fail(`${problems.length} of ${damages.length} damages:\n${problems.slice(0, 6).join('\n')}`)
  if (ROUNDS > 0 || process.env['SILTSTONE_SAY']) console.log(`${damages.length} damages:`, Object.fromEntries(tally))
  return tally
}

describe('a store of which one byte is not what was written', { timeout: 0 }, () => {
  it('in a table gives right data or says which file is damaged; verify finds every one', async () => {
    const image = await smallImage(false)
    const tables = dataFiles(image).filter((path) => kindOf(path) === 'table')
    const tally = await answers(image, flips(image, tables))
    expect(tally.get('refused to read')).toBeGreaterThan(0)
  })

  it('in the manifest or in CURRENT gives right data or does not open', async () => {
    const image = await smallImage(false)
    const paths = dataFiles(image).filter((path) => kindOf(path) === 'manifest' || kindOf(path) === 'current')
    const tally = await answers(image, flips(image, paths))
    expect([...tally.keys()]).toEqual(['refused to open'])
  })
})

describe('a store of which a file was cut short', { timeout: 0 }, () => {
  it.each([
    ['after a crash', false],
    ['after a clean close', true],
  ])('%s gives right data, says that it is damaged, or recovers to a point in time and says so', async (_, closed) => {
    const image = await smallImage(closed)
    const paths = dataFiles(image).filter((path) => kindOf(path) !== 'segment')
    const tally = await answers(image, cuts(image, paths))
    expect(tally.get('recovered to a point in time, unseen')).toBeUndefined()
  })
})

describe('the log, damaged in one record', { timeout: 0 }, () => {
  /** Of a record that nobody later vouches for nobody can say whether it was torn by a crash or rotted afterwards. */
  it.each([
    ['after a crash', false],
    ['after a clean close', true],
  ])(
    '%s comes back up to that record; strict refuses exactly where the log knows that it was synced',
    async (_, closed) => {
      const image = await smallImage(closed)
      const log = anatomyOfLog(image)
      const provenUpTo = closed ? log.bytes : log.provenUpTo
      for (let offset = log.records[0]!; offset < log.bytes; offset++) {
        const damage: Damage = { kind: 'flip', path: log.path, offset, xor: PATTERNS[offset % 3]! }
        const where = `byte ${offset} of ${log.bytes}, proven up to ${provenUpTo}`
        expect(await answerTo(image, damage), where).toBe('recovered to a point in time')
        const record = log.records.findLast((start) => start <= offset)!
        const expected: Answer = record < provenUpTo ? 'refused to open' : 'recovered to a point in time'
        expect(await answerTo(image, damage, true), where).toBe(expected)
      }
    },
  )

  it('in its header does not open', async () => {
    const image = await smallImage(false)
    const { path, records } = anatomyOfLog(image)
    const inHeader = flips(image, [path]).filter((damage) => damage.kind === 'flip' && damage.offset < records[0]!)
    const tally = await answers(image, inHeader)
    expect([...tally.keys()]).toEqual(['refused to open'])
  })
})

describe('the log, cut short', { timeout: 0 }, () => {
  /**
   * What vouches for a record stands behind it, so a cut takes both away. The end of the last record that is left cannot be told
   * from the end of the log: this is the one loss that goes unseen, and it takes a file system that shortens files.
   */
  it('after a crash comes back up to the cut, and says so unless it is cut between two records', async () => {
    const image = await smallImage(false)
    const log = anatomyOfLog(image)
    for (let bytes = log.records[0]!; bytes < log.bytes; bytes++) {
      const damage: Damage = { kind: 'cut', path: log.path, bytes }
      const expected: Answer = log.records.includes(bytes)
        ? 'recovered to a point in time, unseen'
        : 'recovered to a point in time'
      expect(await answerTo(image, damage), `cut to ${bytes} of ${log.bytes}`).toBe(expected)
      expect(await answerTo(image, damage, true), `cut to ${bytes} of ${log.bytes}`).toBe(expected)
    }
  })

  it('after a clean close comes back up to the cut and says so, wherever it is; strict does not open', async () => {
    const image = await smallImage(true)
    const log = anatomyOfLog(image)
    for (let bytes = log.records[0]!; bytes < log.bytes; bytes++) {
      const damage: Damage = { kind: 'cut', path: log.path, bytes }
      expect(await answerTo(image, damage), `cut to ${bytes} of ${log.bytes}`).toBe('recovered to a point in time')
      expect(await answerTo(image, damage, true), `cut to ${bytes} of ${log.bytes}`).toBe('refused to open')
    }
  })
})

describe('a larger store, damaged anywhere', { timeout: 0 }, () => {
  it('never shows what was not written', () =>
    withSeeds(ROUNDS || 1, async (random) => {
      const image = await largeImage(random)
      const paths = dataFiles(image)
      const damages = Array.from({ length: 60 }, (): Damage => {
        const path = random.pick(paths)
        const { length } = image.files.get(path)!
        if (random.chance(0.2) && kindOf(path) !== 'segment') return { kind: 'cut', path, bytes: random.below(length) }
        return { kind: 'flip', path, offset: random.below(length), xor: random.between(1, 255) }
      })
      const tally = await answers(image, damages)
      expect(tally.get('recovered to a point in time, unseen')).toBeUndefined()
    }))
})
