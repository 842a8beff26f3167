import { Buffer } from 'node:buffer'

/*
 * Memory in which WebAssembly works on blocks:
 *
 *   | what the code needs itself | input | spare | output | spare | what is kept there |
 *
 * A block is read from its file straight into the input and decompressed from there into the output, so that nothing is copied on the
 * way. The code copies in wide steps; the spare bytes are what it may touch behind the end.
 *
 * What stands in a workspace is valid until the next block is read or written, by anybody on this thread.
 */

/** What is used of WebAssembly; the types of Node do not have it. */
interface Memory {
  readonly buffer: ArrayBuffer
}
interface OfWebAssembly {
  readonly Memory: new (size: { initial: number }) => Memory
  readonly Module: new (code: Uint8Array) => object
  readonly Instance: new (module: object, imports: { env: { memory: Memory } }) => { readonly exports: unknown }
}
const { WebAssembly } = globalThis as unknown as { WebAssembly: OfWebAssembly }

const OWN_BYTES = 64 * 1024
const SPARE_BYTES = 64
const PAGE_BYTES = 64 * 1024
/** What the workspace of usual blocks has room for, on both sides. The system gives memory to what has been touched. */
const USUAL_BYTES = 512 * 1024

/** Room for one block. */
export class Workspace {
  /** The longest block, on both sides. */
  readonly capacity: number
  readonly memory: Memory
  readonly bytes: Uint8Array
  /** Addresses. */
  readonly input = OWN_BYTES
  readonly output: number
  /** The address of what is kept for the caller, a multiple of 64. */
  readonly kept: number
  /** The same as bytes. */
  readonly inputBytes: Uint8Array
  readonly outputBytes: Uint8Array

  /** Beside the room for a block so many bytes are for the caller to keep. Throws a `RangeError` where there is no memory for it. */
  constructor(capacity: number, keptBytes = 0) {
    this.capacity = capacity
    this.output = OWN_BYTES + capacity + SPARE_BYTES
    this.kept = Math.ceil((this.output + capacity + SPARE_BYTES) / SPARE_BYTES) * SPARE_BYTES
    this.memory = new WebAssembly.Memory({ initial: Math.ceil((this.kept + keptBytes) / PAGE_BYTES) })
    this.bytes = new Uint8Array(this.memory.buffer)
    this.inputBytes = this.bytes.subarray(this.input, this.input + capacity)
    this.outputBytes = this.bytes.subarray(this.output, this.output + capacity)
  }

  /** Whether these bytes stand in it. */
  holds(bytes: Uint8Array): boolean {
    return bytes.buffer === this.memory.buffer
  }

  /** The address of a range, which is copied into the input unless it stands in this memory already. */
  place(source: Uint8Array, start: number, end: number): number {
    if (this.holds(source)) return source.byteOffset + start
    this.inputBytes.set(start === 0 && end === source.length ? source : source.subarray(start, end))
    return this.input
  }
}

let usual: Workspace | undefined
/** That of the last large block, while the collector has not come for it. */
let large: WeakRef<Workspace> | undefined

/** The workspace for blocks of up to so many bytes. Throws a `RangeError` where there is no memory for it. */
export function workspaceFor(bytes: number): Workspace {
  usual ??= new Workspace(USUAL_BYTES)
  if (bytes <= USUAL_BYTES) return usual
  const present = large?.deref()
  if (present !== undefined && present.capacity >= bytes) return present
  const made = new Workspace(bytes)
  large = new WeakRef(made)
  return made
}

/** Whether bytes stand in a workspace, and will be others soon. */
export function isPassing(bytes: Uint8Array): boolean {
  return usual?.holds(bytes) === true || large?.deref()?.holds(bytes) === true
}

/** Code of a folder `assembly`, run in the workspace in which a block stands. */
export class Assembly<Exports> {
  readonly #base64: string
  #module: object | undefined
  #inUsual: Exports | undefined
  readonly #inLarge = new WeakMap<Workspace, Exports>()

  constructor(base64: string) {
    this.#base64 = base64
  }

  in(workspace: Workspace): Exports {
    if (workspace === usual) {
      this.#inUsual ??= this.#instantiate(workspace)
      return this.#inUsual
    }
    let exports = this.#inLarge.get(workspace)
    if (exports === undefined) {
      exports = this.#instantiate(workspace)
      this.#inLarge.set(workspace, exports)
    }
    return exports
  }

  #instantiate({ memory }: Workspace): Exports {
    this.#module ??= new WebAssembly.Module(Buffer.from(this.#base64, 'base64'))
    return new WebAssembly.Instance(this.#module, { env: { memory } }).exports as Exports
  }
}
