interface Statement<P extends unknown[], R> {
  run(...values: P): unknown
  all(...values: P): R[]
  iterate(...values: P): IterableIterator<R>
}

export default class Sqlite {
  constructor(path: string)
  exec(sql: string): this
  prepare<P extends unknown[] = unknown[], R = unknown>(sql: string): Statement<P, R>
  close(): this
}
