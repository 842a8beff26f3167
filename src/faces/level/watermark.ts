const DEFAULT_BYTES = 16 * 1024

/** Counts the bytes of a slice, and says when they are enough. */
export class Watermark {
  /** Of the keys and values read since it was set to 0. */
  bytes = 0
  readonly limitBytes: number
  readonly isExceeded = (): boolean => this.bytes > this.limitBytes

  /** The option becomes a number as in classic-level, where the conversion makes 0, one entry a slice, of Infinity. */
  constructor(highWaterMarkBytes: unknown) {
    this.limitBytes = typeof highWaterMarkBytes === 'number' ? highWaterMarkBytes >>> 0 : DEFAULT_BYTES
  }
}
