import type { FileSystem } from '../../fs/file-system.js'
import type { LogSalvage } from '../../log/log-salvage.js'
import { CURRENT, manifestName, parseStoreFile, segmentName, tableName } from '../../tree/file-names.js'
import type { ManifestState } from '../../tree/manifest-state.js'
import type { FoundManifest } from './found-manifest.js'
import type { FoundTable } from './found-table.js'
import { Ledger } from './ledger.js'
import type { Rebuilt } from './rebuild.js'
import type { Survey } from './survey.js'

/** Books what a repair makes of every file. */
export function bookRepair(fs: FileSystem, directory: string, survey: Survey, rebuilt: Rebuilt | undefined): Ledger {
  const ledger = new Ledger(fs, directory)
  new Bookkeeping(ledger, survey, rebuilt).bookAll()
  if (rebuilt !== undefined) {
    for (const name of fs.listSync(directory)) {
      if (parseStoreFile(name)?.kind === 'next-current') ledger.replace(name, 'left by an interrupted change')
    }
  }
  return ledger
}

class Bookkeeping {
  private readonly ledger: Ledger
  private readonly survey: Survey
  /** Absent where the store stays as it is. */
  private readonly rebuilt: Rebuilt | undefined

  constructor(ledger: Ledger, survey: Survey, rebuilt: Rebuilt | undefined) {
    this.ledger = ledger
    this.survey = survey
    this.rebuilt = rebuilt
  }

  bookAll(): void {
    this.bookCurrent()
    this.bookManifests()
    this.bookTables()
    this.bookLog()
  }

  private bookCurrent(): void {
    const { names, problem } = this.survey.current
    if (problem !== undefined) this.ledger.lose(CURRENT, problem)
    else this.takeOver(CURRENT, `names ${manifestName(names!)}`)
  }

  private bookManifests(): void {
    const { current, manifests, knowledge } = this.survey
    for (const manifest of manifests.filter(({ file }) => !file.includes('/'))) {
      if (manifest === knowledge.source) this.bookSource(manifest)
      else if (manifest.problem !== undefined) {
        this.ledger.lose(manifest.file, manifest.problem.message, manifest.problem.offset)
      } else this.bookUnneeded(manifest.file, 'a newer manifest says more')
    }
    const { names } = current
    if (names !== undefined && !manifests.some(({ file }) => file === manifestName(names))) {
      this.ledger.lose(manifestName(names), 'missing')
    }
  }

  private bookSource({ file, state, problem, end }: FoundManifest): void {
    const content = `${counted(state.tables.size, 'table')} and ${counted(state.trees.size, 'keyspace')}`
    if (problem !== undefined) {
      this.ledger.lose(file, `${problem.message}; used up to edit ${state.edit}: ${content}`, problem.offset)
    } else if (this.wentOnFrom(state)) {
      const reason = `it ends at edit ${state.edit}, but the other files show that the store went on from there`
      this.ledger.lose(file, `${reason}; used as far as it goes: ${content}`, end)
    } else this.takeOver(file, content)
  }

  private wentOnFrom({ edit, tables }: ManifestState): boolean {
    const { segments, members } = this.survey
    return (
      segments.some(({ header }) => header !== undefined && header.lastEdit > edit) ||
      members.some(({ number }) => !tables.has(number))
    )
  }

  private bookTables(): void {
    const { members, membership, tables, knowledge } = this.survey
    for (const [table, reason] of membership.leftovers) this.bookUnneeded(table.file, reason)
    for (const table of members) {
      if (table.damage !== undefined) this.bookDamagedTable(table)
      else if (this.isMerged(table)) this.ledger.replace(table.file, `${this.contentOf(table)}, merged into new tables`)
      else this.ledger.keep(table.file, this.contentOf(table))
    }
    const present = new Set(tables.map(({ number }) => number))
    for (const [number, meta] of knowledge.state.tables) {
      if (present.has(number) || membership.replaced.has(number)) continue
      const name = this.survey.trees.get(meta.tree).name
      this.ledger.lose(tableName(number), `missing; it had ${counted(meta.entryCount, 'entry')} of ${shownName(name)}`)
    }
  }

  private bookDamagedTable(table: FoundTable): void {
    const { file, properties, damage, rest } = table
    const meta = this.survey.knowledge.state.tables.get(table.number)
    const tree = meta?.tree ?? properties?.tree
    const { blocks, entries, rangeTombstones } = rest!
    if (tree === undefined) {
      this.ledger.lose(file, `which keyspace it belongs to cannot be read any more: ${damage!.problem}`, damage!.offset)
      return
    }
    const saved = [counted(entries, 'entry'), counted(rangeTombstones, 'range deletion')].join(' and ')
    if (entries + rangeTombstones > 0) {
      this.ledger.replace(file, `${saved} in ${counted(blocks, 'sound block')}, written to a new table`)
    }
    const missing = [
      lack(properties?.dataBlockCount ?? blocks, blocks, 'block'),
      lack(properties?.entryCount ?? meta?.entryCount, entries, 'entry'),
      lack(properties?.rangeTombstoneCount ?? meta?.rangeTombstoneCount, rangeTombstones, 'range deletion'),
    ].filter((each) => each !== undefined)
    if (missing.length === 0) return
    this.ledger.lose(file, `${missing.join(' and ')} cannot be read: ${damage!.problem}`, damage!.offset)
  }

  private bookLog(): void {
    const { segments, neededLog, logFrom, logGaps, knowledge } = this.survey
    for (const segment of segments) {
      if (neededLog.includes(segment)) this.bookSegment(segment)
      else this.bookUnusedSegment(segment)
    }
    for (const { behind, bytes, reason } of logGaps) {
      this.ledger.lose(
        segmentName(behind.number),
        `${counted(bytes, 'byte')} behind it are missing: ${reason}`,
        behind.end,
      )
    }
    const { state } = knowledge
    const expected = new Set([state.logFrom, state.clean?.segment ?? 0])
    for (const number of expected) {
      if (number === 0 || number < logFrom || segments.some((segment) => segment.number === number)) continue
      this.ledger.lose(segmentName(number), 'missing; what was in it and not yet in tables is gone')
    }
  }

  private bookSegment(segment: LogSalvage): void {
    const file = segmentName(segment.number)
    const { records, holes, bytes, end, hasTornEnd } = segment
    const torn = hasTornEnd ? `, and ${counted(bytes.length - end, 'byte')} of a write that was never finished` : ''
    const content = `${counted(records.length, 'commit')}${torn}`
    if (this.survey.keepsLog) this.ledger.keep(file, content)
    else this.ledger.replace(file, `${content}; written to new tables`)
    const [first] = holes
    if (first === undefined) return
    const damaged = holes.reduce((sum, hole) => sum + hole.bytes, 0)
    const places = counted(holes.length, 'place')
    this.ledger.lose(
      file,
      `${counted(damaged, 'byte')} in ${places} cannot be read; what follows them is used`,
      first.offset,
    )
  }

  private bookUnusedSegment(segment: LogSalvage): void {
    const file = segmentName(segment.number)
    const { base, headerProblem, hasTornEnd } = segment
    if (segment.number < this.survey.logFrom) this.bookFlushedSegment(file)
    else if (this.survey.isForeign(segment)) this.ledger.lose(file, 'it belongs to another store')
    else if (base === undefined && hasTornEnd) {
      this.ledger.lose(file, headerProblem?.message ?? 'no commit in it can be read', headerProblem?.offset)
    } else this.bookUnneeded(file, 'nothing was ever written to it')
  }

  /** It is there for those who read the past, for as long as the log goes on from it; or to find in it what tables have lost. */
  private bookFlushedSegment(file: string): void {
    const { keptLog, hasAllTables } = this.survey
    if (this.rebuilt === undefined || (keptLog.length > 0 && hasAllTables)) {
      this.ledger.keep(file, 'all that is in it stands in tables')
    } else
      this.ledger.replace(file, hasAllTables ? 'all that is in it stands in tables' : 'all that is in it was in tables')
  }

  /** A file that is as it should be: it stays in a store that stays as it is, and has served its turn in one that is rebuilt. */
  private takeOver(file: string, what: string): void {
    if (this.rebuilt === undefined) this.ledger.keep(file, what)
    else this.ledger.replace(file, `${what}; taken over into a new one`)
  }

  /** A file without which nothing is missing. An intact store removes it by itself. */
  private bookUnneeded(file: string, reason: string): void {
    if (this.rebuilt === undefined) this.ledger.keep(file, `not needed: ${reason}; the next opening removes it`)
    else this.ledger.replace(file, `not needed: ${reason}`)
  }

  private isMerged({ properties }: FoundTable): boolean {
    return this.rebuilt?.mergedTrees.has(properties!.tree) ?? false
  }

  private contentOf({ number, properties }: FoundTable): string {
    const { tree, entryCount, level } = properties!
    const placed = this.rebuilt?.state.tables.get(number) ?? this.survey.knowledge.state.tables.get(number)
    const name = shownName(this.survey.trees.get(tree).name)
    return `${counted(entryCount, 'entry')} of ${name}, level ${placed?.level ?? level}`
  }
}

function shownName(name: string): string {
  return name === '' ? 'the default keyspace' : `keyspace '${name}'`
}

function lack(expected: number | undefined, found: number, what: string): string | undefined {
  if (expected === undefined) return `an unknown number of ${plural(what)}`
  return expected > found ? `${expected - found} of ${counted(expected, what)}` : undefined
}

function counted(count: number, what: string): string {
  return `${count} ${count === 1 ? what : plural(what)}`
}

function plural(what: string): string {
  return what.endsWith('ry') ? `${what.slice(0, -1)}ies` : `${what}s`
}
