// Somebody at the page: answers the greeting with a question, and leaves with the answer to it.
function onShown(element) {
  if (shown.length === 1) {
    sendMessage('compute 6 * 7');
  } else {
    console.log('SHOWN ' + JSON.stringify(shown));
    socket.close(1000);
  }
}
