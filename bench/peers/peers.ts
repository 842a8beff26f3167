import { betterSqlite3 } from './better-sqlite3.js'
import { classicLevel } from './classic-level.js'
import { lmdb } from './lmdb.js'
import type { Peer } from './peer.js'
import { rocksdb } from './rocksdb.js'
import { siltstone } from './siltstone.js'

/** Everybody, in the order of the table; the first one is compared with all others. */
export const peers: readonly Peer[] = [siltstone, classicLevel, lmdb, betterSqlite3, rocksdb]

/** Those that come as packages of the benchmark alone. */
export const PACKAGED: readonly string[] = [lmdb.name, betterSqlite3.name]

export function peerNamed(name: string): Peer {
  const found = peers.find((peer) => peer.name === name)
  if (found === undefined) throw new Error(`There is no peer called ${name}`)
  return found
}
