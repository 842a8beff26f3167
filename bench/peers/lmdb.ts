import { loadPackage, packageVersion } from './package.js'
import type { LibraryPeer } from './peer.js'

/** As much of the package's interface as is used here. */
interface Lmdb {
  open(options: {
    path: string
    encoding: 'string'
    compression: boolean
    noSync: boolean
    overlappingSync: boolean
  }): Database
}

interface Database {
  get(key: string): string | undefined
  getMany(keys: string[]): Promise<(string | undefined)[]>
  put(key: string, value: string): Promise<boolean>
  putSync(key: string, value: string): void
  remove(key: string): Promise<boolean>
  removeSync(key: string): boolean
  transactionSync(run: () => void): void
  getRange(options: { start?: string; limit?: number; reverse?: boolean }): Iterable<{ key: string; value: string }>
  close(): Promise<void>
}

/** LMDB by way of lmdb-js: a copy-on-write B+tree in a memory map. It caches by the system's page cache, without a limit. */
export const lmdb: LibraryPeer = {
  name: 'lmdb',

  async describe() {
    await loadPackage<Lmdb>('lmdb')
    return {
      version: packageVersion('lmdb'),
      settings: [
        'lz4 for values above 1 kB (its default)',
        'memory map: the page cache of the system instead of a cache of its own',
        'written: noSync; synced: defaults without overlappingSync, so that a put resolves when it is synced',
      ],
    }
  },

  async open(directory, durability) {
    const { open } = await loadPackage<Lmdb>('lmdb')
    const db = open({
      path: directory,
      encoding: 'string',
      compression: true,
      noSync: durability === 'written',
      overlappingSync: false,
    })
    const count = (entries: ReturnType<Database['getRange']>): number => {
      let found = 0
      for (const { key, value } of entries) if (key.length + value.length > 0) found++
      return found
    }
    return {
      batch(operations) {
        db.transactionSync(() => {
          for (const operation of operations) {
            if (operation.type === 'put') db.putSync(operation.key, operation.value)
            else db.removeSync(operation.key)
          }
        })
        return undefined
      },
      put: (key, value) => db.put(key, value),
      putSync: (key, value) => db.putSync(key, value),
      del: (key) => db.remove(key),
      delSync: (key) => void db.removeSync(key),
      getSync: (key) => db.get(key),
      getMany: (keys) => db.getMany(keys),
      scanSync: (reverse) => count(db.getRange({ reverse })),
      seekSync: (key, limit) => count(db.getRange({ start: key, limit })),
      close: () => db.close(),
    }
  },
}
