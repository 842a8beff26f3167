// As much of lmdb as the guide has.

class Lmdb {
  #entries = new Map()

  async put(key, value) {
    this.#entries.set(key, value)
    return true
  }

  get(key) {
    return this.#entries.get(key)
  }

  getRange({ start, end } = {}) {
    const keys = [...this.#entries.keys()].sort()
    return keys
      .filter((key) => (start === undefined || key >= start) && (end === undefined || key < end))
      .map((key) => ({ key, value: this.#entries.get(key) }))
  }

  async close() {}
}

export const open = () => new Lmdb()
