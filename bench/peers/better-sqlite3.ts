import { join } from 'node:path'
import { loadPackage, packageVersion } from './package.js'
import { CACHE_BYTES, type LibraryPeer } from './peer.js'

/** As much of the package's interface as is used here. */
interface BetterSqlite3 {
  readonly default: new (path: string) => Database
}

interface Database {
  pragma(text: string): unknown
  exec(sql: string): unknown
  prepare(sql: string): Statement
  transaction<T extends unknown[]>(run: (...args: T) => void): (...args: T) => void
  close(): void
}

interface Statement {
  run(...parameters: unknown[]): unknown
  get(...parameters: unknown[]): { value: string } | undefined
  raw(): Statement
  all(...parameters: unknown[]): unknown[]
  iterate(...parameters: unknown[]): Iterable<readonly [string, string]>
}

/** SQLite by way of better-sqlite3: everything is synchronous. It has no compression. */
export const betterSqlite3: LibraryPeer = {
  name: 'better-sqlite3',

  async describe() {
    const { default: Sqlite } = await loadPackage<BetterSqlite3>('better-sqlite3')
    // The package loads its native part with the first database.
    new Sqlite(':memory:').close()
    return {
      version: packageVersion('better-sqlite3'),
      settings: [
        'no compression',
        'page cache 64 MiB',
        'a table WITHOUT ROWID',
        'journal_mode WAL',
        'written: synchronous NORMAL; synced: synchronous FULL',
      ],
    }
  },

  async open(directory, durability) {
    const { default: Sqlite } = await loadPackage<BetterSqlite3>('better-sqlite3')
    const db = new Sqlite(join(directory, 'store.db'))
    db.pragma('journal_mode = WAL')
    db.pragma(`synchronous = ${durability === 'synced' ? 'FULL' : 'NORMAL'}`)
    db.pragma(`cache_size = -${CACHE_BYTES / 1024}`)
    db.exec('CREATE TABLE IF NOT EXISTS entries (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID')
    const put = db.prepare('INSERT INTO entries VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value')
    const del = db.prepare('DELETE FROM entries WHERE key = ?')
    const get = db.prepare('SELECT value FROM entries WHERE key = ?')
    const seek = db.prepare('SELECT key, value FROM entries WHERE key >= ? ORDER BY key LIMIT ?').raw()
    const forwards = db.prepare('SELECT key, value FROM entries ORDER BY key').raw()
    const backwards = db.prepare('SELECT key, value FROM entries ORDER BY key DESC').raw()
    const getSync = (key: string): string | undefined => get.get(key)?.value
    const write = db.transaction((operations: Parameters<NonNullable<typeof batch>>[0]) => {
      for (const operation of operations) {
        if (operation.type === 'put') put.run(operation.key, operation.value)
        else del.run(operation.key)
      }
    })
    const batch: Awaited<ReturnType<LibraryPeer['open']>>['batch'] = (operations) => {
      write(operations)
      return undefined
    }
    return {
      batch,
      putSync: (key, value) => void put.run(key, value),
      delSync: (key) => void del.run(key),
      getSync,
      getMany: (keys) => keys.map(getSync),
      scanSync(reverse) {
        let count = 0
        for (const [key, value] of (reverse ? backwards : forwards).iterate())
          if (key.length + value.length > 0) count++
        return count
      },
      seekSync: (key, count) => seek.all(key, count).length,
      async compact() {
        db.exec('VACUUM')
        db.pragma('wal_checkpoint(TRUNCATE)')
      },
      close: async () => db.close(),
    }
  },
}
