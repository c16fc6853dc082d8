// A stream of bytes as lines, without their line ends; a last line without one counts too.

/** For people: what is no UTF-8 is shown as U+FFFD. */
export async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  for await (const line of byteLinesOf(stream)) yield decoder.decode(line);
}

/** As they are. */
export async function* byteLinesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
  let begun: Uint8Array[] = [];
  for await (const chunk of stream) {
    let from = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, from)) {
      begun.push(chunk.slice(from, end));
      yield Buffer.concat(begun);
      begun = [];
      from = end + 1;
    }
    if (from < chunk.byteLength) begun.push(chunk.slice(from));
  }
  if (begun.length > 0) yield Buffer.concat(begun);
}
