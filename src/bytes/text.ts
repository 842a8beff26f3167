/*
 * UTF-8 in and out of byte ranges. Node's own methods are called on plain Uint8Arrays, so that every array on the hot
 * paths has one hidden class; a Buffer among them makes the comparisons of the index polymorphic.
 */

type Slice = (this: Uint8Array, start: number, end: number) => string
type Utf8Write = (this: Uint8Array, text: string, offset: number, length: number) => number

const native = Buffer.prototype as unknown as {
  utf8Slice?: Slice
  latin1Slice?: Slice
  utf8Write?: Utf8Write
}

const slice: Slice =
  native.utf8Slice ??
  function (start, end) {
    return Buffer.from(this.buffer, this.byteOffset + start, end - start).toString()
  }

const asciiSlice: Slice =
  native.latin1Slice ??
  function (start, end) {
    return Buffer.from(this.buffer, this.byteOffset + start, end - start).toString('latin1')
  }

const write: Utf8Write =
  native.utf8Write ??
  function (text, offset, length) {
    return Buffer.from(this.buffer, this.byteOffset, this.byteLength).write(text, offset, length)
  }

// Below this length a loop over character codes beats the call into C++ (75 ns).
const LOOP_CHARS = 24

/** Whether every surrogate has its partner. Other texts have no UTF-8 of their own: U+FFFD stands for what is alone. */
export function isWellFormed(text: string): boolean {
  // Node 20 has it, the types of its ECMAScript do not.
  return (text as unknown as { isWellFormed(): boolean }).isWellFormed()
}

/** An upper bound for the bytes of a text, cheap for short ones and exact for long ones. */
export function textByteBound(text: string): number {
  return text.length <= 4096 ? text.length * 3 : Buffer.byteLength(text)
}

/** Writes a text and returns the offset behind it. Requires: room for its bound. */
export function putText(bytes: Uint8Array, offset: number, text: string): number {
  const length = text.length
  if (length <= LOOP_CHARS) {
    let i = 0
    for (; i < length; i++) {
      const code = text.charCodeAt(i)
      if (code >= 0x80) break
      bytes[offset + i] = code
    }
    if (i === length) return offset + length
  }
  return offset + write.call(bytes, text, offset, bytes.length - offset)
}

/** Reads a text. */
export function getText(bytes: Uint8Array, start: number, end: number): string {
  return slice.call(bytes, start, end)
}

/** Reads a text of which it is known that all its bytes are ASCII; bytes beside them that are not come out as anything. */
export function getAsciiText(bytes: Uint8Array, start: number, end: number): string {
  return asciiSlice.call(bytes, start, end)
}
