import { createReadStream, statSync } from 'node:fs'
import { resolve } from 'node:path'
import { parseJsonLine } from '../commands/data.js'
import { usage } from '../failure.js'
import { type Notation, parseField, parseJsonField } from '../notation.js'

/** What an import reads: entries, and after each of them the place from which another run could go on. */
export interface SourceEntry {
  readonly key: Buffer
  readonly value: Buffer
  readonly keyspace?: string
  /** Where the next entry begins. */
  readonly next: string
  /** How much of the whole is behind it, from 0 to 1; absent where the whole is not known. */
  readonly share?: number
}

export interface Source {
  /** The same for the same content, another one for another; absent where a second run cannot read it again. */
  readonly identity?: string
  entries(from: string | undefined): AsyncGenerator<SourceEntry>
}

export type Format = 'ndjson' | 'tsv'

export function formatOf(file: string, asked: string | undefined): Format {
  if (asked === 'ndjson' || asked === 'tsv') return asked
  if (asked !== undefined) throw usage(`There is no format '${asked}'; choose ndjson or tsv`)
  return /\.(tsv|tab|txt)$/i.test(file) ? 'tsv' : 'ndjson'
}

/** A file, or '-' for standard input. */
export function sourceOf(path: string, asked: string | undefined, notation: Notation): Source {
  return new LineSource(path === '-' ? undefined : resolve(path), formatOf(path, asked), notation)
}

/** Lines of a file or of standard input. */
class LineSource implements Source {
  readonly identity?: string
  private readonly path: string | undefined
  private readonly format: Format
  private readonly notation: Notation
  private readonly bytes: number

  constructor(path: string | undefined, format: Format, notation: Notation) {
    this.path = path
    this.format = format
    this.notation = notation
    this.bytes = 0
    if (path === undefined) return
    const { size, mtimeMs } = statSync(path)
    this.bytes = size
    this.identity = JSON.stringify([path, size, Math.round(mtimeMs)])
  }

  async *entries(from: string | undefined): AsyncGenerator<SourceEntry> {
    let offset = Number(from ?? 0)
    let lineNumber = 0
    const stream = this.path === undefined ? process.stdin : createReadStream(this.path, { start: offset })
    const read = (line: string): Omit<SourceEntry, 'next'> | undefined => {
      lineNumber++
      return line.trim() === '' ? undefined : this.parse(line, lineNumber, from !== undefined)
    }
    const placed = (entry: Omit<SourceEntry, 'next'>): SourceEntry => ({
      ...entry,
      next: String(offset),
      ...(this.bytes === 0 ? {} : { share: offset / this.bytes }),
    })
    let rest: Buffer = Buffer.alloc(0)
    for await (const chunk of stream) {
      rest = rest.length === 0 ? (chunk as Buffer) : Buffer.concat([rest, chunk as Buffer])
      let start = 0
      for (let end = rest.indexOf(10); end !== -1; end = rest.indexOf(10, start)) {
        const line = rest.toString('utf8', start, end)
        offset += end + 1 - start
        start = end + 1
        const entry = read(line.endsWith('\r') ? line.slice(0, -1) : line)
        if (entry !== undefined) yield placed(entry)
      }
      rest = rest.subarray(start)
    }
    offset += rest.length
    const last = rest.length === 0 ? undefined : read(rest.toString())
    if (last !== undefined) yield placed(last)
  }

  private parse(line: string, lineNumber: number, resumed: boolean): Omit<SourceEntry, 'next'> {
    const where = `line ${lineNumber}${resumed ? ' after the place where this goes on' : ''} of ${this.path ?? 'standard input'}`
    const { notation } = this
    if (this.format === 'tsv') {
      const tab = line.indexOf('\t')
      if (tab === -1) throw usage(`There is no tab between key and value on ${where}; is it --format ndjson?`)
      return {
        key: parseField(line.slice(0, tab), notation, `The key on ${where}`),
        value: parseField(line.slice(tab + 1), notation, `The value on ${where}`),
      }
    }
    const { key, value, keyspace } = parseJsonLine(line, where)
    return {
      key: parseJsonField(key, notation, `The key on ${where}`),
      value: parseJsonField(value, notation, `The value on ${where}`),
      ...(typeof keyspace === 'string' && keyspace !== '' ? { keyspace } : {}),
    }
  }
}
