/**
 * Resolves when `watch` calls back, after `waitMs`, or when the signal says that nobody waits any more.
 *
 * @param watch begins to watch; what it returns ends that.
 */
export function waitUntil(watch: (end: () => void) => () => void, waitMs: number, signal?: AbortSignal): Promise<void> {
  if (waitMs <= 0 || signal?.aborted === true) return Promise.resolve();
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      unwatch();
      signal?.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, waitMs);
    const unwatch = watch(end);
    signal?.addEventListener('abort', end);
  });
}
