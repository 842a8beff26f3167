import { createHmac, timingSafeEqual } from 'node:crypto'
import { encodeMessage, SIGNATURE_BYTES, StoredMessage } from './message-format.js'

/** Signs and checks messages with one key: HMAC-SHA-256 over body and headers. */
export class Signer {
  private readonly key: string | Uint8Array

  constructor(key: string | Uint8Array) {
    this.key = typeof key === 'string' ? key : key.slice()
  }

  /** The same message with its signature. */
  sign(message: Uint8Array): Uint8Array {
    const stored = new StoredMessage(message)
    return encodeMessage({ ...stored.parts(), signature: this.signatureOf(stored) })
  }

  /** Whether whoever sent this had the key, and nobody has changed it since. */
  verify(message: StoredMessage): boolean {
    const { signature } = message
    return signature?.length === SIGNATURE_BYTES && timingSafeEqual(signature, this.signatureOf(message))
  }

  private signatureOf(message: StoredMessage): Uint8Array {
    const hmac = createHmac('sha256', this.key)
    for (const part of message.signed()) hmac.update(part)
    return hmac.digest()
  }
}
