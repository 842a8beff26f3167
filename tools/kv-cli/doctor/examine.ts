import { existsSync, readdirSync, readFileSync, statfsSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { holdsStoreData, parseStoreFile } from '../../../src/tree/file-names.js'
import { plural, showBytes, showDuration } from '../units.js'
import { unlockedDisk } from '../unlocked-disk.js'
import { cliWords } from '../wording.js'
import { measureDisk } from './measure-disk.js'

export interface Diagnosis {
  readonly topic: string
  readonly verdict: 'good' | 'note' | 'bad'
  readonly text: string
}

const OLDEST_NODE = 20
const FEW_DESCRIPTORS = 1024
const LITTLE_SPACE_BYTES = 1 << 30
// A disk head needs a turn of the platter and flash some tenths of a millisecond; what is quicker did not leave memory.
const HONEST_SYNC_MS = 0.05

/** Looks at what decides whether a store does well here. Writes a file of a few MiB beside the store, and removes it. */
export async function* examine(path: string): AsyncGenerator<Diagnosis> {
  yield node()
  yield* limits()
  const place = existingParent(resolve(path))
  yield space(place)
  yield* disk(place)
  yield* await leftovers(path)
}

function node(): Diagnosis {
  const major = Number(process.versions.node.split('.')[0])
  const text = `Node ${process.versions.node}, ${process.platform} ${process.arch}`
  if (major < OLDEST_NODE)
    return { topic: 'Node', verdict: 'bad', text: `${text}; Siltstone needs ${OLDEST_NODE} or newer` }
  return { topic: 'Node', verdict: 'good', text }
}

function* limits(): Generator<Diagnosis> {
  if (process.platform !== 'linux') return
  const line = /^Max open files\s+(\d+|unlimited)/m.exec(readFileSync('/proc/self/limits', 'utf8'))
  const files = line === null || line[1] === 'unlimited' ? Number.POSITIVE_INFINITY : Number(line[1])
  const verdict = files < FEW_DESCRIPTORS ? 'note' : 'good'
  const advice = verdict === 'note' ? '; a large store wants more (ulimit -n 65536)' : ''
  yield {
    topic: 'limits',
    verdict,
    text: `${files === Number.POSITIVE_INFINITY ? 'any number of' : files} open files${advice}`,
  }
}

function space(place: string): Diagnosis {
  const { bavail, bsize } = statfsSync(place)
  const free = bavail * bsize
  const verdict = free < LITTLE_SPACE_BYTES ? 'note' : 'good'
  const advice = verdict === 'note' ? '; a compaction may need as much again as its tables have' : ''
  return { topic: 'space', verdict, text: `${showBytes(free)} free in ${place}${advice}` }
}

function* disk(place: string): Generator<Diagnosis> {
  const measured = measureDisk(place)
  if ('problem' in measured) {
    yield { topic: 'disk', verdict: 'bad', text: `${place} cannot be written to: ${measured.problem}` }
    return
  }
  const { bytesPerSecond, syncMs } = measured
  yield { topic: 'disk', verdict: 'good', text: `writes and syncs ${showBytes(Math.round(bytesPerSecond))} a second` }
  const honest = syncMs >= HONEST_SYNC_MS
  const took = syncMs < 1 ? `${(syncMs * 1000).toFixed(0)} us` : showDuration(syncMs)
  const text = honest
    ? `one takes ${took} (the middle one of many), as it does when it reaches a disk`
    : `one takes ${took}, which is too quick to be true: 'sync' may not survive a loss of power here (a RAM disk, a container, a lying drive)`
  yield { topic: 'fsync', verdict: honest ? 'good' : 'note', text }
}

async function leftovers(path: string): Promise<Diagnosis[]> {
  if (!existsSync(path)) return [{ topic: 'store', verdict: 'note', text: `there is none in ${path} yet` }]
  if (!statSync(path).isDirectory()) {
    return [{ topic: 'store', verdict: 'bad', text: `${path} is a file; a store needs a directory` }]
  }
  const names = readdirSync(path)
  if (!names.some(holdsStoreData)) return [{ topic: 'store', verdict: 'note', text: `there is none in ${path} yet` }]
  return [await state(path), ...strays(path, names)]
}

async function state(path: string): Promise<Diagnosis> {
  const { readState } = await import('../store-state.js')
  const { verifyStore } = await import('../../../src/store/verify.js')
  try {
    const { tables, clean } = await readState(path)
    const { ok, checked, findings } = await verifyStore(path, { fs: unlockedDisk })
    if (!ok) return wrong(findings)
    const end = clean === null ? 'in use, or not closed in order: the next opening recovers it' : 'closed in order'
    return {
      topic: 'store',
      verdict: 'good',
      text: `${plural(tables.size, 'table')}; ${end}; ${plural(checked, 'file')} read, nothing wrong`,
    }
  } catch (error) {
    return bad(cliWords((error as Error).message))
  }
}

/** Every byte was looked at, or could not be: a store of which a part is not known to be sound is not a good one. */
function wrong(findings: readonly { file: string; offset?: number; problem: string }[]): Diagnosis {
  const { file, offset, problem } = findings[0]!
  const others = findings.length === 1 ? '' : `; ${findings.length - 1} more, see 'kv-cli verify'`
  return bad(`${file}${offset === undefined ? '' : ` at ${offset}`}: ${cliWords(problem)}${others}`)
}

function bad(text: string): Diagnosis {
  return { topic: 'store', verdict: 'bad', text: `${text}; 'kv-cli repair --dry-run' says what can be saved` }
}

function* strays(path: string, names: readonly string[]): Generator<Diagnosis> {
  const foreign = names.filter((name) => parseStoreFile(name) === undefined && name !== 'lost')
  if (foreign.length > 0) {
    const shown = foreign.slice(0, 3).join(', ')
    yield {
      topic: 'leftovers',
      verdict: 'note',
      text: `files that are not the store's are left alone: ${shown}${foreign.length > 3 ? ' …' : ''}`,
    }
  }
  if (!names.includes('lost')) return
  const lost = readdirSync(`${path}/lost`)
  const bytes = lost.reduce((sum, name) => sum + statSync(`${path}/lost/${name}`).size, 0)
  yield {
    topic: 'leftovers',
    verdict: 'note',
    text: `${path}/lost has ${showBytes(bytes)} that recoveries and repairs put aside; remove it when nothing is missing`,
  }
}

function existingParent(path: string): string {
  return existsSync(path) || dirname(path) === path ? path : existingParent(dirname(path))
}
