import { copyBytes } from '../store/encoding.js'
import type { Reader } from '../store/reader.js'
import type { Scan } from '../store/scan.js'
import type { Row, ShardQuery, ShardReads, ShardScan } from './shard.js'

type Bytes = Uint8Array

const NO_VALUE = new Uint8Array(0)

/** A shard's reads answered by readers of one store: live, at a snapshot or inside a transaction. */
export abstract class LocalReads implements ShardReads {
  /** The reader of a keyspace. */
  protected abstract reader(space: string): Reader<Bytes, Bytes>

  get(space: string, key: Bytes): Promise<Bytes | undefined> {
    return this.reader(space).get(key)
  }

  getSync(space: string, key: Bytes): Bytes | undefined {
    return this.reader(space).getSync(key)
  }

  getMany(space: string, keys: readonly Bytes[]): Promise<(Bytes | undefined)[]> {
    return this.reader(space).getMany(keys)
  }

  getManySync(space: string, keys: readonly Bytes[]): (Bytes | undefined)[] {
    return this.reader(space).getManySync(keys)
  }

  hasMany(space: string, keys: readonly Bytes[]): Promise<boolean[]> {
    return this.reader(space).hasMany(keys)
  }

  hasManySync(space: string, keys: readonly Bytes[]): boolean[] {
    return this.reader(space).hasManySync(keys)
  }

  scan(space: string, query: ShardQuery): ShardScan {
    const { range, reverse, limit, keysOnly } = query
    const bounds = range.end === undefined ? { gte: range.start } : { gte: range.start, lt: range.end }
    const scan: Scan<Bytes, Row> = this.reader(space).scan({ ...bounds, reverse, limit }, (at) => ({
      key: copyBytes(at.keyBytes, at.keyStart, at.keyEnd),
      value: keysOnly ? NO_VALUE : copyBytes(at.valueBytes, at.valueStart, at.valueEnd),
      expiresAt: at.expiresAt,
    }))
    return scan
  }
}
