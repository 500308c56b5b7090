// What a browser has and Node.js of this age has not.
const WebSocket = require('ws');
