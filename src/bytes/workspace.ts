import { Buffer } from 'node:buffer'

/*
 * Memory in which WebAssembly works on blocks:
 *
 *   | what the code needs itself | input | spare | output | spare |
 *
 * A block is read from its file straight into the input and decompressed from there into the output, so that nothing is copied on the
 * way. The code copies in wide steps; the spare bytes are what it may touch behind the end.
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
/** What the shared workspace has room for, on both sides. The system gives memory to what is touched, which is a few pages. */
const SHARED_CAPACITY = 512 * 1024

/**
 * One for all blocks of usual size, shared by whoever does nothing else meanwhile; what stands in it is valid until the next block.
 * For a larger block there is one of its own, which goes with it.
 */
export class Workspace {
  readonly capacity: number
  readonly memory: Memory
  readonly bytes: Uint8Array
  /** Addresses. */
  readonly input = OWN_BYTES
  readonly output: number
  /** The same as bytes. */
  readonly inputBytes: Uint8Array
  readonly outputBytes: Uint8Array

  constructor(capacity: number) {
    this.capacity = capacity
    this.output = OWN_BYTES + capacity + SPARE_BYTES
    const bytes = this.output + capacity + SPARE_BYTES
    this.memory = new WebAssembly.Memory({ initial: Math.ceil(bytes / PAGE_BYTES) })
    this.bytes = new Uint8Array(this.memory.buffer)
    this.inputBytes = this.bytes.subarray(this.input, this.input + capacity)
    this.outputBytes = this.bytes.subarray(this.output, this.output + capacity)
  }

  /** The address of a range, which is copied into the input unless it stands in this memory already. */
  place(source: Uint8Array, start: number, end: number): number {
    if (source.buffer === this.memory.buffer) return source.byteOffset + start
    this.inputBytes.set(start === 0 && end === source.length ? source : source.subarray(start, end))
    return this.input
  }
}

let shared: Workspace | undefined

/** The workspace of all blocks of usual size. */
export function sharedWorkspace(): Workspace {
  shared ??= new Workspace(SHARED_CAPACITY)
  return shared
}

/** Code of `assembly/`, run in the shared workspace, or in one of its own for what does not fit. */
export class Assembly<Exports> {
  readonly #base64: string
  #module: object | undefined
  #inShared: Exports | undefined

  constructor(base64: string) {
    this.#base64 = base64
  }

  /** The code in the shared workspace. */
  get exports(): Exports {
    this.#inShared ??= this.in(sharedWorkspace())
    return this.#inShared
  }

  in(workspace: Workspace): Exports {
    this.#module ??= new WebAssembly.Module(Buffer.from(this.#base64, 'base64'))
    const instance = new WebAssembly.Instance(this.#module, { env: { memory: workspace.memory } })
    return instance.exports as Exports
  }
}
