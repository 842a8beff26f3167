interface Range<T> extends Iterable<T> {
  map<U>(make: (entry: T) => U): Range<U>
}

interface Lmdb<V, K> {
  put(key: K, value: V): Promise<boolean>
  get(key: K): V | undefined
  getRange(options?: { start?: K; end?: K }): Range<{ key: K; value: V }>
  close(): Promise<void>
}

export function open<V, K>(options: { path: string }): Lmdb<V, K>
