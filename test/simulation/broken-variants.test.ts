import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { FileHandle, OpenMode } from '../../src/fs/file-system.js'
import { CommitLog } from '../../src/log/commit-log.js'
import { operationEnd } from '../../src/log/operation.js'
import { CommitPipeline } from '../../src/store/commit-pipeline.js'
import { Engine } from '../../src/store/engine.js'
import { TableFilter } from '../../src/table/filter.js'
import { Table } from '../../src/table/table.js'
import { Grove } from '../../src/tree/grove.js'
import { NumberLease } from '../../src/tree/lease.js'
import { Retention } from '../../src/tree/retention.js'
import { crashSweep } from './crash-sweep.js'
import { faultSweep } from './fault-sweep.js'
import type { SimulatedDisk } from './simulated-disk.js'
import { WORKLOADS, type Workload } from './workloads.js'

/*
 * Engines that are broken on purpose, each in one rule that everything rests on. The sweeps have to find every one of them: a
 * test that cannot fail proves nothing.
 */

vi.mock('../../src/tree/tuning.js', async (original) => {
  const { SMALL_TUNING } = await import('./small-tuning.js')
  return { ...(await original<object>()), ...SMALL_TUNING }
})

const broken = vi.hoisted(() => ({ checksum: false }))

vi.mock('../../src/log/record.js', async (original) => {
  const record = await original<typeof import('../../src/log/record.js')>()
  const { getU32 } = await import('../../src/bytes/integers.js')
  return {
    ...record,
    soundRecordLength: (...[bytes, start, limit, frame, position]: Parameters<typeof record.soundRecordLength>) => {
      if (!broken.checksum || start + 32 >= limit) return record.soundRecordLength(bytes, start, limit, frame, position)
      const length = getU32(bytes, start + 4)
      return length > 32 && start + length <= limit && getU32(bytes, start + 8) === frame.tag ? length : 0
    },
  }
})

beforeEach(() => {
  vi.spyOn(performance, 'now').mockReturnValue(0)
})

afterEach(() => {
  broken.checksum = false
  vi.restoreAllMocks()
})

/** The methods of a class, private ones too: a broken engine is broken inside. */
// biome-ignore lint/suspicious/noExplicitAny: what is broken on purpose has no type
function inside(type: { prototype: unknown }): any {
  return type.prototype
}

/** Files whose names end like this say that they were synced, and were not. */
function withoutSync(...endings: string[]): (disk: SimulatedDisk) => SimulatedDisk {
  return (disk) => {
    const open = disk.openSync.bind(disk)
    disk.openSync = (path: string, mode: OpenMode): FileHandle => {
      const file = open(path, mode)
      if (endings.some((ending) => path.includes(ending))) {
        file.syncSync = () => {}
        file.sync = async () => {}
      }
      return file
    }
    return disk
  }
}

function withoutDirectorySync(disk: SimulatedDisk): SimulatedDisk {
  disk.syncDirectorySync = () => {}
  disk.syncDirectory = async () => {}
  return disk
}

interface Variant {
  readonly name: string
  /** Workloads that have to notice, by a part of their names. */
  readonly noticed: string
  /** What they say then: found for another reason would be found by accident. */
  readonly foundAs: RegExp
  /** Every so many calls a crash or a fault. */
  readonly stride?: number
  /** What it breaks; undone after the test. */
  readonly breakIt?: () => void
  readonly wrap?: (disk: SimulatedDisk) => SimulatedDisk
  readonly by?: 'crashes' | 'faults'
}

const VARIANTS: readonly Variant[] = [
  {
    name: 'directories are not synced',
    noticed: 'flushes by hand',
    foundAs: /is missing|but no CURRENT|were promised|cut short/,
    wrap: withoutDirectorySync,
  },
  {
    name: 'tables are not synced before the manifest names them',
    noticed: 'flushes by hand',
    foundAs: /sst is damaged|no prefix/,
    wrap: withoutSync('.sst'),
  },
  {
    name: 'edits of the manifest are not synced',
    noticed: 'flushes by hand',
    foundAs: /MANIFEST-\d+ is damaged|is missing|cut short/,
    wrap: withoutSync('MANIFEST'),
  },
  {
    name: 'CURRENT is renamed before its content is synced',
    noticed: 'leveled',
    foundAs: /CURRENT is damaged/,
    wrap: withoutSync('CURRENT.0'),
  },
  {
    name: 'the log is not synced',
    noticed: 'puts, some synced',
    foundAs: /although it was synced further|were promised/,
    wrap: withoutSync('.log'),
  },
  {
    name: 'writes are acknowledged before they are written',
    noticed: 'puts, some synced',
    foundAs: /were promised/,
    breakIt: () => {
      const { commit } = inside(CommitPipeline)
      vi.spyOn(inside(CommitPipeline), 'commit').mockImplementation(function (this: unknown, ...given: unknown[]) {
        commit.apply(this, given).catch(() => {})
        return Promise.resolve()
      })
    },
  },
  {
    name: 'a batch is one record for each of its operations',
    noticed: 'over keyspaces',
    foundAs: /no prefix of its commits|change feed tells/,
    breakIt: () => {
      const { commit } = inside(CommitPipeline)
      vi.spyOn(inside(CommitPipeline), 'commit').mockImplementation(function (
        this: CommitPipeline,
        ...[end, count, sync]: unknown[]
      ) {
        const log = (this as unknown as { log: CommitLog }).log
        const start = log.beginRecord(0)
        const payload = this.bytes.slice(start, end as number)
        let done: Promise<void> = Promise.resolve()
        for (let at = 0, i = 0; i < (count as number); i++) {
          const next = operationEnd(payload, at)
          const offset = this.begin(next - at, false)
          this.bytes.set(payload.subarray(at, next), offset)
          done = commit.call(this, offset + next - at, 1, sync)
          at = next
        }
        return done
      })
    },
  },
  {
    name: 'records are believed without their checksum',
    noticed: 'puts, some synced',
    foundAs: /what get and a scan see|no prefix of its commits|cannot be read/,
    breakIt: () => {
      broken.checksum = true
    },
  },
  {
    name: 'segments are removed when they are full instead of when they are in tables',
    noticed: 'flushes by hand',
    foundAs: /ENOENT|were promised|is missing/,
    breakIt: () => {
      const { seal } = inside(Engine)
      vi.spyOn(inside(Engine), 'seal').mockImplementation(function (this: Engine, ...[segment]: unknown[]) {
        seal.call(this, segment)
        this.fs.removeSync((segment as { path: string }).path)
      })
    },
  },
  {
    name: 'numbers are leased from nobody',
    noticed: 'leveled',
    foundAs: /position at which a session begins|used twice|what verify finds/,
    breakIt: () => {
      vi.spyOn(inside(NumberLease), 'coversFiles').mockReturnValue(true)
      vi.spyOn(inside(NumberLease), 'coversPositions').mockReturnValue(true)
      vi.spyOn(inside(NumberLease), 'renewal').mockReturnValue(undefined)
    },
  },
  {
    name: 'a filter says no to keys that are there',
    noticed: 'leveled',
    foundAs: /what get and a scan see/,
    breakIt: () => {
      const { hasHash } = inside(TableFilter)
      vi.spyOn(inside(TableFilter), 'hasHash').mockImplementation(function (this: unknown, ...[hash]: unknown[]) {
        return (hash as number) % 7 !== 0 && hasHash.call(this, hash)
      })
    },
  },
  {
    name: 'compaction drops what only snapshots see',
    noticed: 'snapshots',
    foundAs: /a snapshot of the first/,
    breakIt: () => void vi.spyOn(inside(Retention), 'stripeOf').mockReturnValue(0),
  },
  {
    name: 'compaction drops deletions that still hide something',
    noticed: 'minor and major',
    foundAs: /no prefix of its commits|keys backwards/,
    stride: 16,
    breakIt: () => void vi.spyOn(inside(Retention), 'mayHideOlder').mockReturnValue(false),
  },
  {
    name: 'expired keys are seen',
    noticed: 'expire',
    foundAs: /what get and a scan see/,
    breakIt: () => {
      vi.spyOn(inside(Engine), 'isSeen').mockImplementation((...[found, covered]: unknown[]) => {
        const { kind, position } = found as { kind: number; position: number }
        return kind !== 3 && position >= (covered as number)
      })
    },
  },
  {
    name: 'files that nothing names are left behind',
    noticed: 'leveled',
    foundAs: /what verify finds|files of a store at rest/,
    breakIt: () => void vi.spyOn(inside(Grove), 'removeLater').mockReturnValue(undefined),
  },
  {
    name: 'a table that cannot be read is taken for one without the key',
    noticed: 'clean ends',
    foundAs: /what get and a scan see/,
    by: 'faults',
    breakIt: () => {
      const { lookup } = inside(Table)
      vi.spyOn(inside(Table), 'lookup').mockImplementation(function (this: unknown, ...given: unknown[]) {
        try {
          return lookup.apply(this, given)
        } catch {
          return false
        }
      })
    },
  },
  {
    name: 'a failed write is not cut off',
    noticed: 'puts, some synced',
    foundAs: /no prefix of its commits|promised/,
    by: 'faults',
    breakIt: () => {
      vi.spyOn(inside(CommitLog), 'dropPending').mockReturnValue(undefined)
      vi.spyOn(inside(CommitLog), 'cutTail').mockReturnValue(undefined)
    },
  },
]

function workload(part: string): Workload {
  return WORKLOADS.find(({ name }) => name.includes(part))!
}

describe('an engine that is broken on purpose is found out', () => {
  it.each(VARIANTS)('$name', async ({ noticed, foundAs, breakIt, wrap, by = 'crashes', stride = 2 }) => {
    breakIt?.()
    const plan = { workload: workload(noticed), seed: 1, stride }
    const sweep =
      by === 'faults' ? faultSweep(plan) : crashSweep({ ...plan, outcomes: 4, ...(wrap === undefined ? {} : { wrap }) })
    await expect(sweep).rejects.toThrow(foundAs)
  })
})
