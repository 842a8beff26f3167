import type { Database } from '../../store/database.js'
import type { CustomEncoding } from '../../store/encoding.js'
import type { Keyspace } from '../../store/keyspace.js'

/** What stands between a Level database and its store: text or bytes, whatever the encodings make of them above. */
export type Format = 'utf8' | 'buffer' | 'view'

/** A key or a value in one of these formats. Every format takes all of them; what it reads is of its own kind. */
export type Encoded = string | Uint8Array

export type Handle = Keyspace<Encoded, Encoded>

/**
 * The store's keyspace once for each pair of formats, by the key's and then the value's. Level chooses formats with every
 * call, and here that is two property loads.
 */
export type Handles = Readonly<Record<Format, Readonly<Record<Format, Handle>>>>

export function makeHandles(database: Database<Buffer, Buffer>): Handles {
  const handle = (keys: Format, values: Format): Handle =>
    database.as({
      keyEncoding: keys as unknown as CustomEncoding<Encoded>,
      valueEncoding: values as unknown as CustomEncoding<Encoded>,
    })
  const row = (keys: Format) => ({
    utf8: handle(keys, 'utf8'),
    buffer: handle(keys, 'buffer'),
    view: handle(keys, 'view'),
  })
  return { utf8: row('utf8'), buffer: row('buffer'), view: row('view') }
}
