interface OfWebAssembly {
  Memory: unknown
}

/** Does something while there is no memory for WebAssembly to be had. */
export function withoutMemory(what: () => void): void {
  const { WebAssembly } = globalThis as unknown as { WebAssembly: OfWebAssembly }
  const { Memory } = WebAssembly
  WebAssembly.Memory = class {
    constructor() {
      throw new RangeError('WebAssembly.Memory(): could not allocate memory')
    }
  }
  try {
    what()
  } finally {
    WebAssembly.Memory = Memory
  }
}
