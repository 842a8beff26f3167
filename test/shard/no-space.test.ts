import { expect, it, vi } from 'vitest'
import { openSharded, type ShardedStore } from '../../src/shard.js'
import { withSeeds } from '../simulation/reproduce.js'
import { SimulatedDisk } from '../simulation/simulated-disk.js'

/*
 * A rebalance on a disk that is full: it stops with an error, wherever that is; everything can be read; and once there is space it goes
 * on, in the same process or at the next opening.
 */

vi.mock('../../src/shard/mover-tuning.js', () => ({
  STEP_MOVED_KEYS: 12,
  STEP_MOVED_BYTES: 4096,
  STEP_SCANNED_KEYS: 64,
  SLICE: 16,
}))

// More than all files together have.
const MUCH = 2 ** 40
const KEYS = Array.from({ length: 300 }, (_, i) => `user:${i}`)

/** So long that what moves does not fit into the zeros that the logs are filled with ahead. */
function longValue(key: string): string {
  return `value of ${key} `.repeat(200)
}

function openOn(disk: SimulatedDisk, shards?: string[]): Promise<ShardedStore> {
  return openSharded('/data', {
    fs: disk,
    executor: 'inline',
    writeBufferBytes: 64 * 1024,
    cacheBytes: 256 * 1024,
    moveBytesPerSecond: Number.POSITIVE_INFINITY,
    ...(shards === undefined ? {} : { shards }),
  })
}

async function expectAll(db: ShardedStore): Promise<void> {
  expect(await db.getMany(KEYS)).toEqual(KEYS.map(longValue))
  expect(await db.keys().toArray()).toEqual(KEYS.toSorted())
}

it('a disk that is full stops a rebalance, and loses nothing; with space it goes on', { timeout: 60_000 }, async () => {
  let stopped = 0
  await withSeeds(6, async (random, seed) => {
    const disk = new SimulatedDisk(seed)
    let db = await openOn(disk, ['a', 'b', 'c'])
    await Promise.all(KEYS.map((key) => db.put(key, longValue(key), { sync: true })))
    const leaveSpace = (bytes: number): void => {
      disk.quotaBytes = MUCH
      disk.quotaBytes = MUCH - disk.roomFor(MUCH) + bytes
    }
    let steps = 0
    const fullAfter = random.below(8)
    const moved = db
      .addShard('d', {
        onProgress: () => {
          if (steps++ === fullAfter) leaveSpace(random.below(2000))
        },
      })
      .then(
        () => true,
        (error) => {
          expect(error).toMatchObject({ code: 'SILT_NO_SPACE' })
          return false
        },
      )
    if (!(await moved)) stopped++
    await expectAll(db)
    disk.quotaBytes = Number.POSITIVE_INFINITY
    if (random.chance(0.5)) {
      await db.close()
      db = await openOn(disk)
      await db.idle()
    } else if (!(await moved)) await db.addShard('d')
    await expectAll(db)
    expect(db.shards).toEqual(['a', 'b', 'c', 'd'])
    expect(db.balance().shards.reduce((sum, { keys }) => sum + keys, 0)).toBe(KEYS.length)
    await db.close()
  })
  expect(stopped).toBeGreaterThan(0)
})
