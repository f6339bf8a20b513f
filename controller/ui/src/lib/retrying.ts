const ATTEMPTS = 4;

/** Loads a part of the console, again when a short break in the network made it fail. */
export function retrying<T>(load: () => Promise<T>, waitMs = 400): () => Promise<T> {
  return async () => {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await load();
      } catch (error) {
        if (attempt === ATTEMPTS) throw error;
        await new Promise((done) => setTimeout(done, waitMs * attempt));
      }
    }
  };
}
