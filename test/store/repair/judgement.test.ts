import { describe, expect, it } from 'vitest'
import { hash32 } from '../../../src/bytes/hash.js'
import { putU32 } from '../../../src/bytes/integers.js'
import { open } from '../../../src/index.js'
import { frameOf, readLogHeader } from '../../../src/log/log-header.js'
import { scanLog } from '../../../src/log/log-scan.js'
import { recordCount, recordSynced, sealRecord } from '../../../src/log/record.js'
import { SeededRandom } from '../../simulation/seeded-random.js'
import { SimulatedDisk } from '../../simulation/simulated-disk.js'
import { DamagedStore, DIRECTORY, rehearsedRepair, SMALL } from './damaged-store.js'

const seed = Number(process.env['SILTSTONE_SEED'] ?? 1)
const ROUNDS = Number(process.env['SILTSTONE_FUZZ_ROUNDS'] ?? 40)

/** A closed store with tables, and with keyspaces, expiries and ranges in its log. */
async function closedStore(): Promise<DamagedStore> {
  const store = await DamagedStore.make(seed)
  store.put(1, 'in a table')
  await store.db.flush()
  for (let i = 0; i < 8; i++) store.put(i, 'v'.repeat(i * 7))
  store.putOther(1, 'elsewhere')
  store.db.putSync('expires', 'late', { ttl: 1e9 })
  store.clear(2, 4)
  store.del(5)
  await store.db.close()
  return store
}

/** Changes bytes of the log and makes its checksums right again, as somebody would who means harm. */
function mutateSealed(bytes: Uint8Array, random: SeededRandom): void {
  const header = readLogHeader(bytes, bytes.length, 'SILTLOG\n', '')!
  const frame = frameOf(header)
  const { records, end } = scanLog(bytes, bytes.length, frame, header.base)
  if (random.below(4) === 0) {
    const field = random.pick([12, 16, 24, 32, 40, 48, 56, 64, 72])
    bytes[field + random.below(4)]! ^= 1 << random.below(8)
    putU32(bytes, 76, hash32(bytes, 0, 76, 0))
    return
  }
  const which = random.below(records.length)
  const start = records[which]!
  const next = records[which + 1] ?? end
  const count = random.below(4) === 0 ? random.pick([0, 2, 0xffffffff]) : recordCount(bytes, start)
  for (let changes = random.below(4); changes > 0; changes--) {
    const at = start + 32 + random.below(next - start - 32)
    bytes[at] = random.pick([0, 1, 7, 0xff, random.below(256)])
  }
  const synced = recordSynced(bytes, start)
  sealRecord(new DataView(bytes.buffer, bytes.byteOffset), start, next, frame, count, header.base + start, synced)
}

/** The store on a disk of its own. */
function diskOf(files: ReadonlyMap<string, Uint8Array>): SimulatedDisk {
  const disk = new SimulatedDisk(seed)
  disk.makeDirectorySync(DIRECTORY)
  for (const [path, bytes] of files) {
    disk.makeDirectorySync(path.slice(0, path.lastIndexOf('/')))
    const file = disk.openSync(path, 'create')
    file.writeSync(bytes, 0, bytes.length, 0)
    file.syncSync()
    file.closeSync()
  }
  disk.syncDirectorySync(DIRECTORY)
  return disk
}

/** Opens a store and reads all of it; whether that was refused. */
async function isRefused(files: ReadonlyMap<string, Uint8Array>, context: string): Promise<boolean> {
  try {
    const db = await open(DIRECTORY, { fs: diskOf(files), ...SMALL, createIfMissing: false, recovery: 'strict' })
    const hasGap = db.recovery.losses.some(({ kind }) => kind === 'gap')
    for (const name of db.keyspaceNames()) await db.keyspace(name).entries().toArray()
    await db.close()
    return hasGap
  } catch (error) {
    expect(error, context).toMatchObject({ code: 'SILT_CORRUPTION', file: expect.any(String) })
    return true
  }
}

describe('open and repair', () => {
  it('say the same of a log, whatever it holds under right checksums', async () => {
    const sound = (await closedStore()).disk.snapshotFiles()
    const path = [...sound.keys()]
      .filter((each) => each.endsWith('.log'))
      .sort()
      .at(-1)!
    const outcomes = { refused: 0, taken: 0 }
    for (let round = 0; round < ROUNDS; round++) {
      const context = `seed ${seed}, round ${round}`
      const bytes = sound.get(path)!.slice()
      mutateSealed(bytes, new SeededRandom(seed * 10_000 + round))
      const files = new Map(sound).set(path, bytes)
      const refused = await isRefused(files, context)
      outcomes[refused ? 'refused' : 'taken']++
      const disk = diskOf(files)
      const { lost } = await rehearsedRepair(disk)
      const repaired = disk.snapshotFiles()
      if (refused) expect(repaired, context).not.toEqual(files)
      else expect({ lost, files: repaired }, context).toEqual({ lost: [], files })
      expect(await isRefused(repaired, context), `${context}: opens after repair`).toBe(false)
    }
    expect(Math.min(outcomes.refused, outcomes.taken)).toBeGreaterThan(ROUNDS / 10)
  })
})
