import { join } from 'node:path'
import { importPackage } from '../package-import.js'
import type { Contender } from './contender.js'

const CACHE_BYTES = 64 * 1024 * 1024
const WRITE_BUFFER_BYTES = 32 * 1024 * 1024

const siltstone: Contender = {
  name: 'siltstone',
  async load() {
    const { open } = await import('../../../src/store/database.js')
    return async (directory, durable) => {
      const db = await open(directory, { sync: durable })
      const counted = (entries: Iterable<readonly [string, string]>): number => {
        let count = 0
        for (const [key, value] of entries) if (key.length + value.length > 0) count++
        return count
      }
      return {
        putMany: (entries) => db.batch(entries.map(([key, value]) => ({ type: 'put', key, value }))),
        put: (key, value) => db.put(key, value),
        del: (key) => db.del(key),
        get: (key) => db.getSync(key),
        seek: (key, limit) => counted(db.entries({ gte: key, limit })),
        scan: (reverse) => counted(db.entries({ reverse })),
        close: () => db.close(),
      }
    }
  },
}

interface ClassicLevel {
  open(): Promise<void>
  batch(operations: object[], options: object): Promise<void>
  put(key: string, value: string, options: object): Promise<void>
  del(key: string, options: object): Promise<void>
  get(key: string): Promise<string | undefined>
  getSync?(key: string): string | undefined
  iterator(options: object): {
    nextv(size: number): Promise<unknown[]>
    close(): Promise<void>
    all(): Promise<unknown[]>
  }
  close(): Promise<void>
}

const classicLevel: Contender = {
  name: 'classic-level',
  async load() {
    type Package = { ClassicLevel: new (path: string, options: object) => ClassicLevel }
    const found = await importPackage<Package>('classic-level')
    if (found === undefined) return undefined
    return async (directory, durable) => {
      const db = new found.ClassicLevel(directory, { cacheSize: CACHE_BYTES, writeBufferSize: WRITE_BUFFER_BYTES })
      await db.open()
      const options = { sync: durable }
      return {
        putMany: (entries) =>
          db.batch(
            entries.map(([key, value]) => ({ type: 'put', key, value })),
            options,
          ),
        put: (key, value) => db.put(key, value, options),
        del: (key) => db.del(key, options),
        get: (key) => (db.getSync === undefined ? db.get(key) : db.getSync(key)),
        seek: async (key, limit) => (await db.iterator({ gte: key, limit }).all()).length,
        async scan(reverse) {
          const iterator = db.iterator({ reverse, highWaterMarkBytes: 1024 * 1024 })
          let count = 0
          for (let slice = await iterator.nextv(1000); slice.length > 0; slice = await iterator.nextv(1000)) {
            count += slice.length
          }
          await iterator.close()
          return count
        },
        close: () => db.close(),
      }
    }
  },
}

interface Lmdb {
  get(key: string): string | undefined
  put(key: string, value: string): Promise<boolean>
  putSync(key: string, value: string): void
  remove(key: string): Promise<boolean>
  transactionSync(run: () => void): void
  getRange(options: object): Iterable<{ key: string; value: string }>
  close(): Promise<void>
}

const lmdb: Contender = {
  name: 'lmdb',
  async load() {
    const found = await importPackage<{ open(options: object): Lmdb }>('lmdb')
    if (found === undefined) return undefined
    return async (directory, durable) => {
      const db = found.open({ path: directory, encoding: 'string', noSync: !durable, overlappingSync: false })
      const counted = (options: object): number => {
        let count = 0
        for (const { key, value } of db.getRange(options)) if (key.length + value.length > 0) count++
        return count
      }
      return {
        putMany(entries) {
          db.transactionSync(() => {
            for (const [key, value] of entries) db.putSync(key, value)
          })
          return undefined
        },
        put: (key, value) => db.put(key, value),
        del: (key) => db.remove(key),
        get: (key) => db.get(key),
        seek: (start, limit) => counted({ start, limit }),
        scan: (reverse) => counted({ reverse }),
        close: () => db.close(),
      }
    }
  },
}

interface Sqlite {
  pragma(text: string): unknown
  exec(sql: string): unknown
  prepare(sql: string): Statement
  transaction<T>(run: (argument: T) => void): (argument: T) => void
  close(): void
}

interface Statement {
  run(...parameters: unknown[]): unknown
  get(...parameters: unknown[]): { value: string } | undefined
  all(...parameters: unknown[]): unknown[]
  iterate(...parameters: unknown[]): Iterable<{ key: string; value: string }>
}

const betterSqlite3: Contender = {
  name: 'better-sqlite3',
  async load() {
    const found = await importPackage<{ default: new (path: string) => Sqlite }>('better-sqlite3')
    if (found === undefined) return undefined
    return async (directory, durable) => {
      const db = new found.default(join(directory, 'store.db'))
      db.pragma('journal_mode = WAL')
      db.pragma(`synchronous = ${durable ? 'FULL' : 'NORMAL'}`)
      db.pragma(`cache_size = -${CACHE_BYTES / 1024}`)
      db.exec('CREATE TABLE entries (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID')
      const put = db.prepare('INSERT INTO entries VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value')
      const get = db.prepare('SELECT value FROM entries WHERE key = ?')
      const del = db.prepare('DELETE FROM entries WHERE key = ?')
      const from = db.prepare('SELECT key, value FROM entries WHERE key >= ? ORDER BY key LIMIT ?')
      const up = db.prepare('SELECT key, value FROM entries ORDER BY key')
      const down = db.prepare('SELECT key, value FROM entries ORDER BY key DESC')
      const write = db.transaction((entries: readonly (readonly [string, string])[]) => {
        for (const [key, value] of entries) put.run(key, value)
      })
      return {
        putMany(entries) {
          write(entries)
          return undefined
        },
        put(key, value) {
          put.run(key, value)
          return undefined
        },
        del(key) {
          del.run(key)
          return undefined
        },
        get: (key) => get.get(key)?.value,
        seek: (key, limit) => from.all(key, limit).length,
        scan(reverse) {
          let count = 0
          for (const { key, value } of (reverse ? down : up).iterate()) if (key.length + value.length > 0) count++
          return count
        },
        close: async () => db.close(),
      }
    }
  },
}

/** Siltstone first: the others are compared with it. */
export const contenders: readonly Contender[] = [siltstone, classicLevel, lmdb, betterSqlite3]
